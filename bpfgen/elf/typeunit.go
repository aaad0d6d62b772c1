package elf

import "debug/dwarf"

// Types may be in units of their own (-fdebug-types-section), of which linkers keep one where
// many files declare the same. They are named by a signature of 8 bytes.

// signed is where the type is declared that has a signature; 0 if there is none. The first of
// several is taken.
func (t *types) signed(signature uint64) dwarf.Offset {
	if t.signatures == nil {
		t.signatures = map[uint64]dwarf.Offset{}
		note := func(u unitHead, at uint64) {
			if _, known := t.signatures[u.signature]; !known && u.declares != 0 {
				t.signatures[u.signature] = dwarf.Offset(at + u.declares)
			}
		}
		for u := range unitHeads(t.info, false) {
			note(u, 0)
		}
		for u := range unitHeads(t.old, true) {
			note(u, uint64(len(t.info)))
		}
	}
	return t.signatures[signature]
}

// signedPlace is where a type is declared that has a signature: here, or in what dwp has made.
func (t *types) signedPlace(signature uint64) place {
	at := t.signed(signature)
	if at == 0 && t.pack != nil {
		if t = t.pack.typeUnit(signature); t != nil {
			at = t.signed(signature)
		}
	}
	if at == 0 {
		return place{}
	}
	return t.place(at)
}
