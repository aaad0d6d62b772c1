// Package dashboards holds the Grafana dashboards that come with the exporter,
// one for each configuration of package configs, in Grafana's classic JSON
// (schema version 42: Grafana 10 and newer).
package dashboards

import _ "embed"

// Quickstart shows what configs.Quickstart exports: a row for the exporter
// itself, then one for each script. Its variables are datasource, job and
// instance.
//
//go:embed quickstart.json
var Quickstart []byte
