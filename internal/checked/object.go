package checked

import (
	"errors"
	"io"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// Object is what a script is compiled to with the options that its metrics ask for.
// Nothing is loaded.
func Object(b exporter.Backend, s *config.Script) (*object.Object, error) {
	keeps := &keeping{Backend: b}
	err := exporter.Check(io.Discard, &config.Config{Scripts: []*config.Script{s}}, keeps, exporter.Limits{})
	if err == nil && keeps.object == nil {
		err = errors.New("nothing was compiled")
	}
	return keeps.object, err
}

// keeping is a backend that keeps what it compiles, and shows it to no kernel.
type keeping struct {
	exporter.Backend
	object *object.Object
}

func (b *keeping) Compile(s *plylang.Script, opt bpfgen.Options) (*object.Object, error) {
	o, err := b.Backend.Compile(s, opt)
	b.object = o
	return o, err
}

func (b *keeping) Verify(*object.Object) error { return nil }
