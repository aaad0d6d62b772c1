// Package exporter turns the maps of running scripts into Prometheus metrics:
// it reads the configuration, infers names, labels and units, collects, and
// serves /metrics and the status page. It is the only package that knows
// Prometheus and YAML.
package exporter
