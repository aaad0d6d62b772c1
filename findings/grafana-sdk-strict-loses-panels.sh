#!/usr/bin/env bash
# Strict decoding of a correct dashboard with Grafana's SDK returns an error that is
# not nil (a list of no faults), and, because the SDK takes that list for an error
# itself, leaves every panel empty: both Panel and RowPanel are nil, in a list of the
# right length. So "if err != nil" refuses every file, and a test that looks at the
# panels after it passes without having looked at one. Decode twice: strictly for the
# faults, plainly for the content.
#
# Seen with github.com/grafana/grafana-foundation-sdk/go v0.0.22. Needs go. Output:
#
#     strict: error is nil: false, faults: 0, panels: 1, empty: 1
#     plain: error is nil: true, panels: 1, empty: 0
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
export GOFLAGS=-mod=mod CGO_ENABLED=0
go mod init finding 2>/dev/null
go get github.com/grafana/grafana-foundation-sdk/go@v0.0.22 2>/dev/null
cat > main.go <<'GO'
package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const text = `{"schemaVersion": 42, "templating": {"list": []}, "annotations": {"list": []},
	"panels": [{"type": "row", "id": 1, "collapsed": false, "panels": []}]}`

func empty(d dashboard.Dashboard) (n int) {
	for _, p := range d.Panels {
		if p.Panel == nil && p.RowPanel == nil {
			n++
		}
	}
	return n
}

func main() {
	var strict, plain dashboard.Dashboard
	var faults cog.BuildErrors
	err := strict.UnmarshalJSONStrict([]byte(text))
	errors.As(err, &faults)
	fmt.Printf("strict: error is nil: %v, faults: %d, panels: %d, empty: %d\n", err == nil, len(faults), len(strict.Panels), empty(strict))
	err = json.Unmarshal([]byte(text), &plain)
	fmt.Printf("plain: error is nil: %v, panels: %d, empty: %d\n", err == nil, len(plain.Panels), empty(plain))
}
GO
go run . | tee output
diff output - <<'WANT'
strict: error is nil: false, faults: 0, panels: 1, empty: 1
plain: error is nil: true, panels: 1, empty: 0
WANT
