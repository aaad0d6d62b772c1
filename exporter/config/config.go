// Package config reads the configuration: one or several YAML files, every
// value with its position, so that whoever finds it wrong later can say where.
// It knows nothing of kernels and metrics.
package config

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"time"

	"ply-exporter/plylang"
)

// A Config is what all configuration files say together.
type Config struct {
	Scripts []*Script

	// Hash identifies the files: their names and what is in them.
	Hash string

	// Files are those that were read, with the files of scripts after the one that
	// names them, each once.
	Files []*plylang.Source
}

// A Script is one entry of "scripts:".
type Script struct {
	Name       string
	Help       string
	Source     *plylang.Source // nil when it could not be read
	Metrics    []*Metric
	Namespace  string         // first part of inferred metric names
	MaxEntries int            // keys of a map that no metric limits; 0: the code generator's default
	Expire     *time.Duration // of keys of exported maps whose metric says nothing of it; nil when not given
	Budget     *Share         // of one CPU; nil when not given
	Sample     *Sample        // nil when all events are looked at
	Native     *Native        // of histograms that say nothing of it; nil when not given

	At Position // of its name
}

// A Metric is one entry of "metrics:". It refines what is inferred for a map;
// what is zero keeps the inferred value.
type Metric struct {
	Map        string // with its sigil
	Name       string
	Help       string
	Type       string   // counter, gauge, histogram
	Unit       string   // seconds, bytes, ratio, none
	Scale      *big.Rat // positive; nil when not given
	Labels     []Label
	Buckets    *Buckets
	Native     *Native // nil when not given
	MaxEntries int
	Overflow   string         // what becomes of keys beyond MaxEntries: other, drop, evict
	Expire     *time.Duration // after which keys go that are not updated; 0: never; nil when not given
	Top        int            // how many series are exported beside the one of all others; 0: all
	Export     *bool

	where places
}

// Buckets are the finite bounds of a histogram: a list of them, ascending, or the
// lowest and the highest one, either of which may be nil, which keeps the default.
type Buckets struct {
	List     []*Bound
	Min, Max *Bound
}

// A Position is somewhere in a configuration file.
type Position struct {
	src *plylang.Source
	pos plylang.Pos
}

// Errorf returns an error at the position.
func (p Position) Errorf(format string, args ...any) *plylang.Error {
	return &plylang.Error{Src: p.src, Pos: p.pos, Msg: fmt.Sprintf(format, args...)}
}

func (p Position) String() string {
	if p.src == nil {
		return "?"
	}
	line, col := p.src.Position(p.pos)
	return fmt.Sprintf("%s:%d:%d", p.src.Name(), line, col)
}

// places are where each key of a mapping was given; "" is the mapping itself.
type places map[string]Position

// at returns where a key was given, else where the mapping is.
func (p places) at(key string) Position {
	if at, ok := p[key]; ok {
		return at
	}
	return p[""]
}

// At returns where a key of the metric was given, else where the metric is.
func (m *Metric) At(key string) Position { return m.where.at(key) }

// Given returns where a key of the metric was given, if it was.
func (m *Metric) Given(key string) (Position, bool) {
	p, ok := m.where[key]
	return p, ok
}

// Parse reads one configuration from memory. Files it names are looked for
// beside file.
func Parse(file string, data []byte) (*Config, error) {
	l := Loader{seen: &record{hash: sha256.New()}}
	l.note(file, data)
	scripts, errs := l.readConfig(file, data)
	return (&Config{Scripts: scripts, Hash: l.seen.sum(), Files: l.seen.files}).finish(errs)
}

func (c *Config) finish(errs plylang.ErrorList) (*Config, error) {
	errs = append(errs, duplicateNames(c.Scripts)...)
	if len(errs) > 0 {
		return nil, errs
	}
	return c, nil
}

func duplicateNames(scripts []*Script) plylang.ErrorList {
	var errs plylang.ErrorList
	seen := map[string]*Script{}
	for _, s := range scripts {
		first, ok := seen[s.Name]
		if ok && s.Name != "" {
			errs = append(errs, s.At.Errorf("script %q is already defined at %s", s.Name, first.At))
			continue
		}
		seen[s.Name] = s
	}
	return errs
}
