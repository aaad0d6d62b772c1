# make test is the one command; docs/testing.md explains what it does.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
ARCH     ?= $(shell go env GOARCH)
FUZZTIME ?= 20s
KERNEL   ?=
LINTER   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.6.2

export CGO_ENABLED = 0
export GOFLAGS ?= -buildvcs=false -trimpath

# Packages, and the SBOM of what is in them.
packages: setup
	deploy/packages/build '$(VERSION)' '$(ARCH)' dist deb rpm

# What is in the binary, as CycloneDX.
sbom: build
	go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -noserial -version '$(VERSION)' -output ply-exporter.cdx.json ply-exporter

.PHONY: build packages sbom test guests bench fuzz lint clean setup

build: setup
	go build -ldflags '-s -w -funcalign=8 -X github.com/prometheus/common/version.Version=$(VERSION)' -o ply-exporter .

# Everything: sources, unit tests, in-kernel tests here and in guest kernels. WITH_LINT=1 adds make lint:
# make itself has a variable LINT.
test: setup
	go run ./internal/ci $(if $(WITH_LINT),-lint)

# Only the tests in guest kernels; KERNEL=5.10 or KERNEL=6.12-arm64 picks one.
guests: setup
	go run ./internal/ci -only guests $(if $(KERNEL),-kernel $(KERNEL))

# The table of docs/performance.md, then what each package measures of itself.
bench: setup
	go run ./internal/bench
	go test -p 1 -run '^$$' -bench . -benchmem ./...

# Every fuzz target for FUZZTIME.
fuzz: setup
	@grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's/func //' | while IFS=: read -r file target; do \
	  echo "==> $$target in $$(dirname $$file)"; \
	  go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname $$file)" || exit 1; \
	done

lint: setup
	go run $(LINTER) run --show-stats=false

clean:
	rm -rf ply-exporter ply-exporter.cdx.json dist
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/ply-exporter"

setup:
	@internal/ci/setup
