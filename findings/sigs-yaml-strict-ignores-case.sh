#!/usr/bin/env bash
# Strict decoding with sigs.k8s.io/yaml takes a key whose case is wrong: hostPid
# sets HostPID, because encoding/json compares names without case. An API server
# does not know such a key, and refuses it or drops it with a warning. A test of
# manifests that decodes them with yaml.UnmarshalStrict misses exactly the typing
# mistakes that are made most. sigs.k8s.io/json has the decoder of the API server.
#
# Seen with sigs.k8s.io/yaml v1.6.0, sigs.k8s.io/json v0.0.0-20250730193827-2d320260d730
# and k8s.io/api v0.37.2. Needs go. Output:
#
#     yaml.UnmarshalStrict: <nil>, hostPID true
#     json.UnmarshalStrict: [unknown field "hostPid"] <nil>, hostPID false
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
export GOFLAGS=-mod=mod CGO_ENABLED=0
go mod init finding 2>/dev/null
go get k8s.io/api@v0.37.2 sigs.k8s.io/yaml@v1.6.0 sigs.k8s.io/json@v0.0.0-20250730193827-2d320260d730 2>/dev/null
cat > main.go <<'GO'
package main

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

func main() {
	text := []byte("hostPid: true\n")
	var a, b corev1.PodSpec
	err := yaml.UnmarshalStrict(text, &a)
	fmt.Printf("yaml.UnmarshalStrict: %v, hostPID %v\n", err, a.HostPID)
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		panic(err)
	}
	faults, err := json.UnmarshalStrict(asJSON, &b)
	fmt.Printf("json.UnmarshalStrict: %v %v, hostPID %v\n", faults, err, b.HostPID)
}
GO
go mod tidy 2>/dev/null
go run . | tee output
diff output - <<'WANT'
yaml.UnmarshalStrict: <nil>, hostPID true
json.UnmarshalStrict: [unknown field "hostPid"] <nil>, hostPID false
WANT
