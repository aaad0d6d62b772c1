// Package configs holds the configurations that come with the exporter.
package configs

import _ "embed"

// Quickstart is what runs when no configuration is given.
//
//go:embed quickstart.yaml
var Quickstart []byte
