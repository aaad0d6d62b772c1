package plylang

// Values that are shown as names are numbers in the kernel, which knows none of
// the names: they cannot be compared with text.

// nameHint says what to do instead of comparing a value with a name; "" for
// values that are not shown as one.
func nameHint(t *Type) string {
	if !t.Integer() || t.Display == nil {
		return ""
	}
	return t.Display.Hint
}
