// Package configs holds the configurations that come with the exporter, and the JSON
// Schemas of configurations and test files.
package configs

import (
	"embed"
	"strings"
)

// Quickstart is what runs when no configuration is given.
//
//go:embed quickstart.yaml
var Quickstart []byte

// Files are all configurations, by the names of their files.
//
//go:embed *.yaml
var Files embed.FS

// Schema is the JSON Schema (draft-07) of configurations.
//
//go:embed probes.schema.json
var Schema string

//go:embed test.schema.json
var testSchema string

// TestSchema is the JSON Schema of test files, with what it refers to of the other.
func TestSchema() string {
	const begin, end = "\n  \"definitions\": {\n", "\n  }\n}"
	_, shared, _ := strings.Cut(Schema, begin)
	shared = shared[:strings.LastIndex(shared, end)]
	whole := strings.Replace(testSchema, begin, begin+shared+",\n", 1)
	return strings.ReplaceAll(whole, `"probes.schema.json#`, `"#`)
}
