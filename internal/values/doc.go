// Package values tests that what the shipped configurations export is true:
// each is served beside work that others count, too.
package values
