// Command ply-exporter is a Prometheus exporter driven by ply scripts, and ply
// itself: "ply-exporter run SCRIPT".
package main

import (
	"os"

	"ply-exporter/cli"
)

func main() { os.Exit(cli.Main(os.Args)) }
