// Package configs holds the configurations that come with the exporter.
package configs

import "embed"

// Quickstart is what runs when no configuration is given.
//
//go:embed quickstart.yaml
var Quickstart []byte

// Files are all configurations, by the names of their files.
//
//go:embed *.yaml
var Files embed.FS
