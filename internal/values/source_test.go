package values

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// fields returns the numbers that follow a name in a file of lines "name number
// …", such as /proc/stat.
func fields(t *testing.T, file, name string) (numbers []float64) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.TrimSuffix(words[0], ":") != name {
			continue
		}
		for _, word := range words[1:] {
			n, err := strconv.ParseFloat(word, 64)
			if err != nil {
				break // what the numbers are of
			}
			numbers = append(numbers, n)
		}
		return numbers
	}
	t.Fatalf("%s has no line %s", file, name)
	return nil
}

// sumOf is a source: the sum of the numbers of lines, such as one for each CPU.
func sumOf(file string, names ...string) func(*testing.T) float64 {
	return func(t *testing.T) (sum float64) {
		t.Helper()
		for _, name := range names {
			for _, n := range fields(t, file, name) {
				sum += n
			}
		}
		return sum
	}
}

// namesIn are the first words of a file's lines that match a pattern of the shell.
func namesIn(t *testing.T, file, pattern string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		name = strings.TrimSuffix(name, ":")
		if ok, err := filepath.Match(pattern, name); err == nil && ok {
			names = append(names, name)
		}
	}
	return names
}
