package main

import (
	"fmt"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"ply-exporter/plylang"
)

func addFmt(app *kingpin.Application, add func(*kingpin.CmdClause, func() int)) {
	c := app.Command("fmt", "Print scripts in today's spelling, whatever dialect they are in.")
	write := c.Flag("write", "Write the result back into the files instead of printing it.").Short('w').Bool()
	list := c.Flag("list", "Only list the files whose spelling is another; status 1 if there are any.").Short('l').Bool()
	files := c.Arg("file", "Files with scripts, or - for standard input.").Required().Strings()
	add(c, func() int {
		status := statusOK
		for _, file := range *files {
			status = max(status, formatFile(file, *write, *list))
		}
		return status
	})
}

func formatFile(file string, write, list bool) int {
	if file == "" { // kingpin's form of "-"
		file = os.Stdin.Name()
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fail("ply-exporter: " + err.Error())
	}
	out, err := plylang.Format(&plylang.Source{File: file, Text: string(text)})
	if err != nil {
		return fail(plylang.Detail(err))
	}
	switch {
	case list && out != string(text):
		fmt.Println(file)
		return statusError
	case list:
	case write && out != string(text):
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil { //nolint:gosec // a script is no secret
			return fail("ply-exporter: " + err.Error())
		}
	case !write:
		if _, err := fmt.Print(out); err != nil {
			return fail("ply-exporter: standard output: " + err.Error())
		}
	}
	return statusOK
}
