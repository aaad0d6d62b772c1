package cli

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"text/tabwriter"

	"ply-exporter/configs"
	"ply-exporter/plylang"
)

func (p *program) addConfig() {
	p.add("config", "Show the configurations that come with the exporter, and the schema of configurations.")
	list := p.add("config list", "List the configurations that come with the exporter.")
	list.run = func([]string) int { return p.listConfigs() }
	show := p.add("config show", "Print one of them, to be saved and changed.",
		argument{name: "name", help: "Name of the configuration.", options: shippedConfigs})
	show.run = func(args []string) int { return p.showConfig(args[0]) }
	schema := p.add("config schema", "Print the JSON Schema of configurations, for editors.",
		argument{name: "of", help: "What it is the schema of: config or test, the files of the command test.", optional: true, options: func() []string { return schemas }})
	schema.run = p.showSchema
}

// schemas are the names that "config schema" knows.
var schemas = []string{"config", "test"}

func (p *program) showSchema(args []string) int {
	var of string
	choose := oneOf(&of, schemas...)
	for _, arg := range args {
		if err := choose.Set(arg); err != nil {
			return p.usage(err)
		}
	}
	return p.show(map[string]string{"config": configs.Schema, "test": configs.TestSchema()}[of])
}

func (p *program) listConfigs() int {
	out := &output{w: p.Out}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, name := range shippedConfigs() {
		fmt.Fprintf(w, "%s\t%s\n", name, summary(shippedConfig(name)))
	}
	_ = w.Flush() // out keeps the error
	return p.failOutput(out.err)
}

func (p *program) showConfig(name string) int {
	name = strings.TrimSuffix(name, ".yaml")
	text := shippedConfig(name)
	if text == "" {
		hint := cmp.Or(plylang.DidYouMean(name, shippedConfigs()), ": ply-exporter config list shows which do")
		return p.fail(p.prefix() + fmt.Sprintf("no configuration %q comes with the exporter%s", name, hint))
	}
	return p.show(text)
}

// shippedConfigs are the names of the configurations that come with the exporter.
func shippedConfigs() []string {
	files := configs.Names()
	for i, file := range files {
		files[i] = strings.TrimSuffix(file, ".yaml")
	}
	return files
}

// shippedConfig is the text of one of them, "" if there is none of that name.
func shippedConfig(name string) string {
	text, err := configs.Files.ReadFile(name + ".yaml")
	if err != nil {
		return ""
	}
	return string(text)
}

var endOfClause = regexp.MustCompile(`[.:] `)

// summary is the first clause of the comment at the beginning of a configuration.
func summary(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		comment, ok := strings.CutPrefix(line, "#")
		if !ok || len(words) > 0 && strings.TrimSpace(comment) == "" {
			break
		}
		if !strings.HasPrefix(comment, " yaml-language-server:") {
			words = append(words, strings.Fields(comment)...)
		}
	}
	return strings.TrimRight(endOfClause.Split(strings.Join(words, " ")+" ", 2)[0], " ")
}
