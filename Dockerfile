# syntax=docker/dockerfile:1
# A static binary, no shell, no root, one volume.
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum* ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /out/usr/bin/keephold ./cmd/keephold \
 && install -d -m 0700 -o 65532 -g 65532 /out/var/lib/keephold \
 && install -d -m 0755 /out/etc/keephold /out/etc/ssl/certs \
 && install -m 0644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt

FROM scratch
LABEL org.opencontainers.image.source="https://github.com/keephold/keephold" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/ /
USER 65532:65532
VOLUME ["/var/lib/keephold"]
EXPOSE 8200
# A sealed server is a healthy process: operator status answers 0 (open) or 75 (sealed), and only "unreachable" is unhealthy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/usr/bin/keephold", "operator", "status", "--sealed-ok"]
ENTRYPOINT ["/usr/bin/keephold"]
CMD ["server", "--config", "/etc/keephold/keephold-server.toml"]
