#!/usr/bin/env bash
# In tests of rules a repeated number may be followed by others: values: '0x2 1x3'. In promtool
# 2.53 a repeated native histogram may not: nothing can come behind its "xN", neither another
# histogram nor a number nor "_", and the error points at that next item, not at the repetition.
# Written out without "xN" the same series is read; only the last item may be repeated. 3.x reads
# it, so a test that passes there fails with the version of Debian 13.
#
# Seen with promtool 2.53.3+ds1-2 (Debian 13). Needs a Debian with its archive's keys; the package is
# unpacked in a temporary folder. Output:
#
#     0x2 1x3: SUCCESS
#     {{schema:0}} {{schema:0}} {{schema:0 count:1}}x3: SUCCESS
#     {{schema:0}}x2 {{schema:0 count:1}}x3: FAILED: 2:18: parse error: unexpected "{"
#     {{schema:0}}x2 1: FAILED: 2:18: parse error: unexpected number "1"
#     {{schema:0}}x2 _: FAILED: 2:18: parse error: unexpected identifier "_"
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
mirror=$(grep -rhoE '(https?|mirror|file)[^ ]*/debian/?( |$)' /etc/apt/sources.list* | sed -n '1s,[ /]*$,,p')
mkdir -p lists/partial cache/archives/partial
touch status
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > sources.list
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$dir/lists"
  -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir/cache" -o "APT::Sandbox::User=$(id -un)")
"${apt[@]}" update > log 2>&1
"${apt[@]}" download promtool=2.53.3+ds1-2 >> log 2>&1
dpkg -x promtool_*.deb root
{
  for values in '0x2 1x3' '{{schema:0}} {{schema:0}} {{schema:0 count:1}}x3' '{{schema:0}}x2 {{schema:0 count:1}}x3' '{{schema:0}}x2 1' '{{schema:0}}x2 _'; do
    printf 'tests: [{interval: 1m, input_series: [{series: a, values: "%s"}]}]\n' "$values" > tests.yml
    echo "$values: $(root/usr/bin/promtool test rules tests.yml 2>&1 | tr -s ' \n' ' ' | sed 's/.*tests.yml //; s/ *$//; s/FAILED: */FAILED: /')"
  done
} | tee output
diff output - <<'WANT'
0x2 1x3: SUCCESS
{{schema:0}} {{schema:0}} {{schema:0 count:1}}x3: SUCCESS
{{schema:0}}x2 {{schema:0 count:1}}x3: FAILED: 2:18: parse error: unexpected "{"
{{schema:0}}x2 1: FAILED: 2:18: parse error: unexpected number "1"
{{schema:0}}x2 _: FAILED: 2:18: parse error: unexpected identifier "_"
WANT
