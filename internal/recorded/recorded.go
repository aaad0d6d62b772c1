// Package recorded has the files of kernels that tests compile against without
// running them: one archive for each, named by release and architecture, which
// the command record writes.
package recorded

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"
)

//go:embed *.zip
var archives embed.FS

// Names are the recorded kernels, such as "6.12-arm64", sorted.
func Names() []string {
	found, err := fs.Glob(archives, "*.zip")
	if err != nil {
		panic(err) // the pattern is right
	}
	for i := range found {
		found[i] = strings.TrimSuffix(found[i], ".zip")
	}
	return found
}

// Files are those of one kernel, as kernel.Open reads them.
func Files(name string) fs.FS {
	archive, err := archives.ReadFile(name + ".zip")
	if err != nil {
		panic(fmt.Sprintf("no kernel %s is recorded: %v are", name, Names()))
	}
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		panic(fmt.Sprintf("recorded kernel %s: %v", name, err))
	}
	return files
}

// With are files of which one has another text.
func With(files fs.FS, name string, text []byte) fs.FS { return changed{files, name, text} }

type changed struct {
	fs.FS
	name string
	text []byte
}

func (c changed) Open(name string) (fs.File, error) {
	if name == c.name {
		return fstest.MapFS{name: {Data: c.text}}.Open(name)
	}
	return c.FS.Open(name)
}
