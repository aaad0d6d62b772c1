#!/usr/bin/env bash
# kustomize refuses a file outside of the kustomization's folder (a symbolic link
# inside to a file outside, too), but takes a whole folder outside as a base, and
# changes the name of a ConfigMap that the base generates in the resources that
# refer to it. So a file that is shared with something else gets a kustomization
# beside it, and the manifests take that folder as a resource; copying the file, or
# --load-restrictor=LoadRestrictionsNone, which kubectl apply -k has no flag for, is
# not needed. The kustomization may be called Kustomization, without .yaml.
#
# Seen with sigs.k8s.io/kustomize/kustomize/v5 v5.8.1. Needs go (26 seconds of CPU
# to build it). Output:
#
#     file: refused
#     link: refused
#     base: name: settings-c9hdg2ggm8
#
# where both the ConfigMap and the pod have that name. Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
CGO_ENABLED=0 GOFLAGS= GOBIN=$dir/bin go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.1 2>/dev/null
mkdir shared file link base
echo 'key: value' > shared/settings.yaml
ln -s ../shared/settings.yaml link/settings.yaml
cat > shared/Kustomization <<'YAML'
configMapGenerator: [{name: settings, files: [settings.yaml]}]
YAML
cat > file/kustomization.yaml <<'YAML'
configMapGenerator: [{name: settings, files: [../shared/settings.yaml]}]
YAML
cp shared/Kustomization link/kustomization.yaml
cat > base/kustomization.yaml <<'YAML'
resources: [../shared, pod.yaml]
YAML
cat > base/pod.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  containers: [{name: reader, image: reader}]
  volumes: [{name: v, configMap: {name: settings}}]
YAML
{
  for way in file link; do
    if bin/kustomize build $way >/dev/null 2>error; then echo "$way: accepted"; else
      grep -q 'is not in or below' error || cat error
      echo "$way: refused"
    fi
  done
  bin/kustomize build base | grep -o 'name: settings.*' | sort -u | sed 's/^/base: /'
} | tee output
[ "$(grep -c refused output)" = 2 ]
[ "$(grep -c '^base: name: settings-[a-z0-9]*$' output)" = 1 ]
