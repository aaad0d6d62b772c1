package examples

import "strings"

// absent are the scripts that a kernel cannot run, by the beginnings of the
// releases of such kernels ("6.12-arm64" is a recorded one). Only they are missing
// there.
var absent = map[string][]string{}

// unfed are the examples whose events no test can cause.
var unfed = []string{}

func isAbsent(script, release string) bool {
	for _, r := range absent[script] {
		if strings.HasPrefix(release, r) {
			return true
		}
	}
	return false
}
