// Package plylang is the ply language: source, tokens, parser, tree, types,
// checker and canonical printer. It knows nothing of BPF, of Prometheus or of
// the running kernel; what a probe offers to a script reaches Check through
// the Env interface. It imports the standard library only and builds on every
// operating system.
//
// A script passes through two functions here:
//
//	script, err := plylang.Parse(src)        // text to tree
//	err = plylang.Check(script, env)         // tree to typed tree, in place
//
// and then through bpfgen.Compile.
package plylang
