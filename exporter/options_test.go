package exporter

import "testing"

func TestPathsThatCannotServeMetrics(t *testing.T) {
	for path, want := range map[string]string{
		"/metrics":             "",
		"/a/b.txt":             "",
		"/":                    "",
		"":                     "does not begin with a slash",
		"metrics":              "does not begin with a slash",
		"GET /metrics":         "does not begin with a slash",
		"/-/ready":             "is where the health checks are",
		"/-":                   "is where the health checks are",
		"/config":              "is where the exporter tells of itself",
		"/debug/pprof":         "is where the exporter tells of itself",
		"/debug/pprof/profile": "is where the exporter tells of itself",
		"/api/v1/status":       "is where the exporter tells of itself",
		"/{name}":              "has a character that has a meaning of its own in addresses",
		"/a?b":                 "has a character that has a meaning of its own in addresses",
		"/a b":                 "has a character that has a meaning of its own in addresses",
		"//metrics":            "is not the shortest way to write it",
		"/metrics/":            "is not the shortest way to write it",
		"/x/../metrics":        "is not the shortest way to write it",
	} {
		if got := pathFault(path); got != want {
			t.Errorf("%q %s, want %q", path, got, want)
		}
	}
}
