#!/usr/bin/env bash
# "g and topk(10, g @ end())" is the usual way to have a graph show the ten series that
# are largest at its right edge. Once g is gone there (its target has ended, and the last
# sample is older than five minutes) the graph is empty over its whole range, although
# "g" itself shows the past: nothing is largest among nothing, and "and" keeps nothing.
# "g and topk(10, last_over_time(g[RANGE] @ end()))" shows it.
#
# Seen with Prometheus 2.42.0+ds-5 (Debian 12). Needs the commands prometheus, promtool,
# curl and jq. Output, the number of points from each query:
#
#     g: 16
#     g and topk(10, g @ end()): 0
#     g and topk(10, last_over_time(g[40m] @ end())): 16
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT; server=
cd "$dir"
end=$(( $(date +%s) / 60 * 60 )); begin=$((end - 2400))
{
  echo '# TYPE g gauge'
  for ((t = begin; t <= begin + 600; t += 15)); do echo "g{target=\"a\"} 7 $t"; done
  echo '# EOF'
} > samples
promtool tsdb create-blocks-from openmetrics samples data > /dev/null
echo '{}' > prometheus.yml
port=$(( 20000 + RANDOM % 10000 ))
prometheus --config.file prometheus.yml --storage.tsdb.path data --storage.tsdb.retention.time 10y --web.listen-address "127.0.0.1:$port" > log 2>&1 & server=$!
for _ in $(seq 100); do curl -fso /dev/null "http://127.0.0.1:$port/-/ready" && break; sleep 0.2; done
{
  for query in 'g' 'g and topk(10, g @ end())' 'g and topk(10, last_over_time(g[40m] @ end()))'; do
    echo "$query: $(curl -fsG "http://127.0.0.1:$port/api/v1/query_range" --data-urlencode "query=$query" -d "start=$begin&end=$end&step=60" | jq '[.data.result[].values[]] | length')"
  done
} | tee output
diff output - <<'WANT'
g: 16
g and topk(10, g @ end()): 0
g and topk(10, last_over_time(g[40m] @ end())): 16
WANT
