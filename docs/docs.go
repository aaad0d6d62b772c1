// Package docs holds the pages that tests of other packages read.
package docs

import _ "embed"

// Cookbook is the page of questions and the scripts that answer them.
//
//go:embed cookbook.md
var Cookbook string
