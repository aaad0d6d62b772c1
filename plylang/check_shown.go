package plylang

// Values that are shown as names are numbers in the kernel, which knows none of
// the names: they cannot be compared with text.

// nameHint says what to do instead of comparing a value with a name; "" for
// values that are not shown as one.
func nameHint(t *Type) string {
	switch {
	case !t.Integer() || t.Show == "" || t.Show == ShowTime || t.Show == ShowHex:
		return ""
	case t.Show == ShowFunc || t.Show == ShowProbe:
		return "give what is wanted a probe of its own, or choose with a glob, as in kprobe:vfs_@(read|write) and kprobe:vfs_!(read)"
	case t.Show == ShowErrno:
		return "compare the number, as in errno(x) == -2 for ENOENT"
	case t.Show == ShowUser:
		return "compare the number, as in uid == 0 for root"
	}
	return "compare the number, the name is made when it is shown"
}
