// Package exporter turns the maps of running scripts into Prometheus metrics:
// it infers names, labels and units, collects, and serves /metrics and the
// status page. It is the only package that knows Prometheus; its subpackage
// config is the only one that knows YAML.
package exporter
