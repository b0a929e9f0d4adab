# The daily loop. Everything here needs Go and git; what needs more says so and is listed under "needs".
#
#   make              build, vet, house rules, unit tests: under a minute, before each commit
#   make test         everything a fresh machine can run; names what it skips
#   make race         all tests with the race detector
#   make guard        our own scanner over the history and the working tree
#   make lint         golangci-lint with staticcheck, pinned in scripts/versions
#   make script       the txtar scripts of the command line
#   make fuzz         every fuzz target for FUZZTIME each
#   make bench        the load benchmark, then the small ones, BENCHCOUNT runs each
#   make vuln         govulncheck
#   make deps         writes docs/dependencies.txt and the notices; `make deps-check` compares
#   make conformance  unchanged foreign clients against a fresh server   needs: python3
#   make torture      200 rounds of kill -9 and torn writes
#   make torture-seat  one minute of 16 + 4 + 1 processes and completions on one local keep
#   make cross        builds for linux, macOS and Windows on amd64 and arm64
#   make release-check  the release files, checked as far as one machine can

GO         ?= go
FUZZTIME   ?= 10s
BENCHCOUNT ?= 10
ROUNDS     ?= 200
export CGO_ENABLED = 0

.PHONY: all build vet house cover guard unit test race lint script fuzz bench vuln deps deps-check conformance torture torture-seat cross release-check release clean

all: build vet house unit

build:
	$(GO) build -trimpath -o bin/ ./cmd/keephold

vet:
	$(GO) vet ./...

house:
	$(GO) test -count=1 -run 'TestHouse|TestEveryRuleCanFail' .

# what decides is covered by tests to the last statement
cover:
	$(GO) test -cover ./internal/policy | tee /dev/stderr | grep -q 'coverage: 100.0% of statements'

unit:
	$(GO) test -short ./...

test: build
	@$(GO) run scripts/testreport.go -allow .ci/allowed-skips.txt -- $(GO) test -json -timeout 20m ./...

race:
	@CGO_ENABLED=1 $(GO) run scripts/testreport.go -allow .ci/allowed-skips.txt -- $(GO) test -json -race -timeout 30m ./...

guard:
	scripts/guard

lint:
	scripts/lint

script: build
	$(GO) test -count=1 ./cmd/keephold/...

fuzz:
	scripts/fuzz $(FUZZTIME)

bench:
	BENCHCOUNT=$(BENCHCOUNT) scripts/bench

vuln:
	scripts/vuln

deps:
	scripts/deps

deps-check:
	scripts/deps -check

conformance: build
	scripts/conformance

torture:
	scripts/torture $(ROUNDS)

# 16 that start programs, 4 that write, a watcher and completions on one local keep.
torture-seat:
	KEEPHOLD_SEAT_TIME=60s $(GO) test -count=1 -v -run '^TestTortureSeat$$' ./cmd/keephold

cross:
	scripts/cross

release-check:
	scripts/release-check

release:
	scripts/release

clean:
	rm -rf bin dist
