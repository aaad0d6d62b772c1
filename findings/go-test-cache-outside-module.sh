#!/usr/bin/env bash
# go test remembers which files a test opened, and runs it again when one of them has
# changed, but only for files inside the module. A test in a nested module that reads
# ../file goes on saying "ok (cached)" after the file has been broken. Use -count=1.
#
# Seen with go 1.26.8; read in cmd/go/internal/test (computeTestInputsID). Needs go.
# Output:
#
#     inside: FAIL
#     outside: ok (cached)
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
export GOFLAGS= CGO_ENABLED=0
mkdir nested; cd nested
go mod init finding 2>/dev/null
cat > read_test.go <<'GO'
package finding

import (
	"os"
	"testing"
)

func TestRead(t *testing.T) {
	if text, err := os.ReadFile(os.Getenv("FILE")); err != nil || string(text) != "good" {
		t.Fatalf("%q %v", text, err)
	}
}
GO
try() { # a name and a file, which is good and then broken
  printf good > "$2"; touch -d '1 hour ago' "$2" # a file of this moment is never cached
  FILE=$2 go test . >/dev/null
  printf broken > "$2"; touch -d '1 hour ago' "$2"
  if FILE=$2 go test . >result 2>&1; then echo "$1: ok $(grep -o '(cached)' result)"; else echo "$1: FAIL"; fi
}
{ try inside input; try outside ../input; } | tee output
diff output - <<'WANT'
inside: FAIL
outside: ok (cached)
WANT
