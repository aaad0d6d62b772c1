// Package conntrack stands in for github.com/mwitkow/go-conntrack, by a replace in go.mod. It
// has what prometheus/common/config calls of it, and neither counts nor traces connections.
//
// Nothing here runs: the exporter only serves, and exporter-toolkit imports
// prometheus/common/config, which has a client for HTTP, for the type of its passwords. The
// original imports golang.org/x/net/trace, which registers pages under /debug/ with
// html/template when the program starts. A template may call any method by its name, so the
// linker then keeps every exported method of every type that becomes an interface, which are
// 2 MB.
package conntrack

import (
	"context"
	"net"
)

// A DialContextFunc opens a connection, as net.Dialer.DialContext does.
type DialContextFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// An Option changes the function that NewDialContextFunc returns.
type Option func(*DialContextFunc)

// NewDialContextFunc returns net.Dialer.DialContext, or what an option puts in its place.
func NewDialContextFunc(options ...Option) DialContextFunc {
	dial := (&net.Dialer{}).DialContext
	for _, change := range options {
		change(&dial)
	}
	return dial
}

// DialWithDialContextFunc has connections opened by another function.
func DialWithDialContextFunc(dial DialContextFunc) Option {
	return func(d *DialContextFunc) { *d = dial }
}

// DialWithName has no effect: the name is that of the metrics of a dialer.
func DialWithName(string) Option { return func(*DialContextFunc) {} }

// DialWithTracing has no effect.
func DialWithTracing() Option { return func(*DialContextFunc) {} }
