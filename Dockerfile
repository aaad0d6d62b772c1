# A static binary in an empty image; docs/docker.md says how to build and run it.
#
#   GOIMAGE     image with a Go toolchain and a shell to build in
#   VERSION     what --version and ply_exporter_build_info say
#   TARGETOS, TARGETARCH   platform to build for; builders set them by themselves
ARG GOIMAGE=docker.io/library/golang:1.26-bookworm

FROM --platform=${BUILDPLATFORM} ${GOIMAGE} AS build
ARG VERSION=unknown
ARG TARGETOS=linux
ARG TARGETARCH=amd64
WORKDIR /src
COPY go.mod go.sum ./
COPY exporter/go-conntrack/go.mod exporter/go-conntrack/
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -buildvcs=false -trimpath -ldflags "-s -w -funcalign=8 -X github.com/prometheus/common/version.Version=${VERSION}" -o /ply-exporter .

FROM scratch
ARG VERSION=unknown
LABEL org.opencontainers.image.title="ply-exporter" \
      org.opencontainers.image.description="Prometheus exporter for values that ply scripts compute in the Linux kernel" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /ply-exporter /ply-exporter
EXPOSE 10759
ENTRYPOINT ["/ply-exporter"]
