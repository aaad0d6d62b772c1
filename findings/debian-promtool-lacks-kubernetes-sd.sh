#!/usr/bin/env bash
# Debian's promtool and Prometheus are built without the discovery of Kubernetes: a
# configuration that is right is refused as if its key was misspelt. A check of such a
# configuration needs another build, or static_configs in its place.
#
# Seen with prometheus 2.42.0+ds-5+deb12u1 (Debian 12). Needs promtool. Output:
#
#     kubernetes_sd_configs: field kubernetes_sd_configs not found in type config.ScrapeConfig
#     static_configs: SUCCESS
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
check() {
  printf 'scrape_configs:\n  - job_name: a\n    %s\n' "$2" > prometheus.yml
  echo "$1: $(promtool check config prometheus.yml 2>&1 | grep -oE 'field .*|SUCCESS' | head -1)"
}
{
  check kubernetes_sd_configs 'kubernetes_sd_configs: [{role: pod}]'
  check static_configs 'static_configs: [{targets: ["a:1"]}]'
} | tee output
diff output - <<'WANT'
kubernetes_sd_configs: field kubernetes_sd_configs not found in type config.ScrapeConfig
static_configs: SUCCESS
WANT
