package cli

import (
	"errors"
	"os"

	"ply-exporter/plylang"
)

// fmtFlags are the options of "fmt".
type fmtFlags struct {
	write bool
	list  bool
}

func (p *program) addFmt() {
	var f fmtFlags
	c := p.add("fmt", "Format scripts, converting older ply syntax to the current one.",
		argument{name: "file", help: "Script files, or - for standard input.", many: true})
	c.flags.BoolVarP(&f.write, "write", "w", false, "Write the result to the files instead of standard output.")
	c.flags.BoolVarP(&f.list, "list", "l", false, "List the files whose formatting differs and change nothing; exit status 1 if there are any.")
	c.run = func(files []string) int { return p.formatFiles(&f, files) }
}

func (p *program) formatFiles(f *fmtFlags, files []string) int {
	if f.write && f.list {
		return p.usage(errors.New("fmt: -l and -w cannot be used together"))
	}
	status := statusOK
	for _, file := range files {
		status = max(status, p.format(f, file))
	}
	return status
}

// format formats one script: to standard output, or as the options say.
func (p *program) format(f *fmtFlags, file string) int {
	src, err := p.readUnformatted(file)
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	if f.write && src.File != file {
		return p.usage(errors.New("fmt: -w cannot be used with standard input"))
	}
	out, err := plylang.Format(src)
	if err != nil {
		return p.fail(plylang.Detail(err))
	}
	switch {
	case f.list && out != src.Text:
		return max(statusError, p.show(src.File+"\n"))
	case f.list, f.write && out == src.Text:
		return statusOK
	case f.write:
		if err := rewrite(file, src.Text, out); err != nil {
			return p.fail(p.prefix() + err.Error())
		}
		return statusOK
	}
	return p.show(out)
}

// readUnformatted reads a file, or standard input for "-".
func (s Streams) readUnformatted(file string) (*plylang.Source, error) {
	if file == "-" {
		return readText("standard input", s.In)
	}
	return readScriptFile(file, nil)
}

// rewrite replaces the content of a file in place, so that links to it, its
// mode and its owner stay, and restores the content if the disk is full.
func rewrite(name, before, after string) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(after), 0)
	kept := after
	if err != nil {
		kept = before
		_, again := file.WriteAt([]byte(before), 0)
		err = errors.Join(err, again)
	}
	return errors.Join(err, file.Truncate(int64(len(kept))), file.Close())
}
