#!/usr/bin/env bash
# Go's linker drops exported methods that nobody calls, unless a program may call methods by a name
# that is known only when it runs. One that serves by net/http keeps none. The same program with
# exporter-toolkit's web package keeps every exported method of every type that becomes an
# interface, though it has no template: the toolkit imports prometheus/common/config, that
# go-conntrack, that golang.org/x/net/trace, and this one draws pages with html/template, for
# which it registers handlers when the program starts. So what a library leaves out to stay small
# comes back for every exporter.
#
# Seen with exporter-toolkit v0.20.0, common v0.73.1, x/net v0.61.0, go-conntrack
# v0.0.0-20190716064945-2f068394615f. Needs Go 1.26. Output:
#
#     net/http alone: method dropped, x/net/trace not linked
#     import of x/net/trace: method kept, x/net/trace linked
#     exporter-toolkit/web: method kept, x/net/trace linked
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir plain trace toolkit
cat > go.mod <<'GO'
module example

go 1.26.0

require (
	github.com/mwitkow/go-conntrack v0.0.0-20190716064945-2f068394615f
	github.com/prometheus/common v0.73.1
	github.com/prometheus/exporter-toolkit v0.20.0
	golang.org/x/net v0.61.0
)
GO
cat > plain/main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
)

type thing struct{ n int }

//go:noinline
func (t thing) NeverCalled() string { return fmt.Sprint("never", t.n) }

func main() { fmt.Println(thing{1}, serve(&http.Server{Addr: "127.0.0.1:0"})) }

func serve(s *http.Server) error { return s.ListenAndServe() }
GO
sed 's|"net/http"|&\n\n\t_ "golang.org/x/net/trace"|' plain/main.go > trace/main.go
sed -e 's|"net/http"|"log/slog"\n\t"net/http"\n\n\t"github.com/prometheus/exporter-toolkit/web"|' \
  -e 's|return s.ListenAndServe()|return web.ListenAndServe(s, \&web.FlagConfig{WebListenAddresses: \&[]string{s.Addr}, WebSystemdSocket: new(bool), WebConfigFile: new(string)}, slog.Default())|' \
  plain/main.go > toolkit/main.go
export CGO_ENABLED=0 GOFLAGS=-mod=mod
{
  for program in plain trace toolkit; do
    go build -o program "./$program" 2> log || { cat log >&2; exit 1; }
    go tool nm program > symbols
    case $program in plain) name='net/http alone' ;; trace) name='import of x/net/trace' ;; *) name=exporter-toolkit/web ;; esac
    method=dropped; grep -q 'main.thing.NeverCalled$' symbols && method=kept
    linked='not linked'; grep -q 'golang.org/x/net/trace' symbols && linked=linked
    echo "$name: method $method, x/net/trace $linked"
  done
} | tee output
diff output - <<'WANT'
net/http alone: method dropped, x/net/trace not linked
import of x/net/trace: method kept, x/net/trace linked
exporter-toolkit/web: method kept, x/net/trace linked
WANT
