// Package configs holds the configurations that come with the exporter, and the JSON
// Schemas of configurations and test files.
package configs

import (
	"embed"
	"io/fs"
	"strings"
)

// Quickstart is what runs when no configuration is given.
//
//go:embed quickstart.yaml
var Quickstart []byte

// Files are all configurations, by the names of their files. Those in userspace look
// into programs, and are served only where somebody asks for them.
//
//go:embed *.yaml userspace/*.yaml
var Files embed.FS

// Names are the names of all files.
func Names() []string {
	var all []string
	for _, pattern := range []string{"*.yaml", "userspace/*.yaml"} {
		files, err := fs.Glob(Files, pattern)
		if err != nil {
			panic(err) // the patterns are well formed
		}
		all = append(all, files...)
	}
	return all
}

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
