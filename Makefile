# The gateway's chores. `make help` lists them.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# Tools are built once into a folder of the user's own, named by their pinned
# versions, so that a clean checkout does not build them again.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/scopegate
TOOLS := $(CACHE)/tools-$(shell cat tools/go.mod tools/go.sum | sha256sum | cut -c1-16)
LINT := $(TOOLS)/golangci-lint

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## run the demo on http://127.0.0.1:8080
	$(GO) run ./cmd/scopegate demo

.PHONY: build
build: ## build bin/scopegate
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/scopegate ./cmd/scopegate

.PHONY: prepare
prepare: ## install what the tests need: a C compiler (race detector), Chromium, curl, readers of files
	@.ci/prepare

# The race detector watches our code and all libraries but SQLite itself, which is C
# translated to Go: it takes ten times as long when it is watched, and each of its
# connections is used by one goroutine at a time. No other package may be left out:
# generic code of the standard library that it shares with all others would not be
# watched either, and races would be reported where there are none.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false

.PHONY: test
test: prepare ## every test, race detector on, nothing skipped
	deploy/services/with --in-memory env SCOPEGATE_REQUIRE_SERVICES=1 $(GO) test $(RACE) -timeout 40m ./...

# `make test` asks a third of the pairs of parameters, others each time.
.PHONY: conformance
conformance: ## the suite of the engines with every pair of parameters, and 2,000 generated questions over HTTP
	deploy/services/with env SCOPEGATE_REQUIRE_SERVICES=1 SCOPEGATE_CONFORMANCE_PAIRS=all $(GO) test -timeout 40m -run Conform ./search/sqlite ./search/elastic
	deploy/services/with env SCOPEGATE_REQUIRE_SERVICES=1 SCOPEGATE_QUESTIONS=2000 $(GO) test -timeout 40m -run GeneratedQuestions ./cmd/scopegate/e2e/journeys

include deploy/services/services.mk

.PHONY: test-migrate
test-migrate: ## 200,000 sessions in Elasticsearch are migrated while everybody reads and writes (some minutes)
	deploy/services/with --in-memory env SCOPEGATE_REQUIRE_SERVICES=1 SCOPEGATE_TEST_MIGRATE_SESSIONS=200000 \
		$(GO) test -count 1 -timeout 40m -v -run TestEverybodyGoesOnWhileSessionsAreMigrated ./search/elastic

.PHONY: test-unit
test-unit: ## the tests that need nothing but Go
	$(GO) test ./...

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@.ci/fuzz $${FUZZTIME:-30s}

# The gateway on real servers, side by side with what it is compared with. Only
# a run of the full size goes into the documentation, unless OUT names a page.
SESSIONS ?= 1000000
SECONDS ?= 10
OUT ?= $(if $(filter 1000000,$(SESSIONS)),docs/performance.md)

.PHONY: bin/bench
bin/bench:
	cd bench && $(GO) build -trimpath -o ../bin/bench .

.PHONY: bench
bench: build bin/bench ## measure the gateway on real servers; SESSIONS=20000 SECONDS=2 is a short run
	deploy/services/with --on-disk bin/bench --scopegate bin/scopegate --sessions $(SESSIONS) --seconds $(SECONDS) $(if $(OUT),--out $(OUT))

.PHONY: bench-cache
bench-cache: build bin/bench ## measure hits beside Gin with one Redis GET and nginx (needs redis-server, nginx, two cores)
	taskset -c 1 bin/bench cache --scopegate bin/scopegate --seconds $(SECONDS) $(if $(filter 10,$(SECONDS)),--out docs/performance.md)

.PHONY: bench-export
bench-export: build bin/bench ## measure exports: memory, rate, beside elasticdump and Python (needs npm, python3); SESSIONS=20000 is a short run, ONLY=SQLite one engine
	deploy/services/with --on-disk bin/bench export --scopegate bin/scopegate --sessions $(SESSIONS) $(if $(ONLY),--only $(ONLY),$(if $(OUT),--out $(OUT)))

.PHONY: bench-deep
bench-deep: build bin/bench ## measure pages at half of all sessions beside the first one; SESSIONS=20000 is a short run
	deploy/services/with --on-disk bin/bench deep --scopegate bin/scopegate --sessions $(SESSIONS) $(if $(OUT),--out $(OUT))

.PHONY: bench-matrix
bench-matrix: build bin/bench ## measure every filter and every order alone, at most an hour; SESSIONS=20000 is a short run of some minutes
	deploy/services/with bin/bench matrix --scopegate bin/scopegate --sessions $(SESSIONS) $(if $(filter 1000000,$(SESSIONS)),,--within 4m) $(if $(OUT),--out $(OUT))

.PHONY: bench-micro
bench-micro: ## benchmarks of engine, scopes and cache (docs/performance.md)
	$(GO) test -run '^$$' -bench . -benchmem ./search/... ./tenancy/... ./cache/...

.PHONY: bench-faults
bench-faults: build bin/bench ## measure searches while Redis is slow, stopped, full … (needs redis-server)
	bin/bench faults --scopegate bin/scopegate --seconds $(SECONDS) $(if $(filter 10,$(SECONDS)),--out docs/performance.md)

.PHONY: bench-touches
bench-touches: ## what hits take while other companies are touched
	deploy/services/with $(GO) test -run '^$$' -bench 'OthersAreInvalidated' -benchtime 1x ./cache

.PHONY: bench-stall
bench-stall: build bin/bench ## measure what dear searches and clients who reset their connections do to others
	bin/bench stall --scopegate bin/scopegate --seconds $(SECONDS) $(if $(filter 10,$(SECONDS)),--out docs/performance.md)

# On whole machines only: its figures are of a core for the load and one for all else.
.PHONY: bench-overload
bench-overload: build bin/bench ## measure what is answered when 10 and 30 times more is asked than fits (by hand; two cores); SESSIONS, SECONDS, ONLY=SQLite
	deploy/services/with taskset -c 1 bin/bench overload --scopegate bin/scopegate --sessions $(SESSIONS) --seconds $(if $(filter 10,$(SECONDS)),60,$(SECONDS)) $(if $(ONLY),--only $(ONLY))

.PHONY: bench-slow-readers
bench-slow-readers: build bin/bench ## measure the memory of readers who read nothing and of idle connections (by hand, alone)
	bin/bench slow-readers --scopegate bin/scopegate $(if $(OUT),--out $(OUT))

$(LINT):
	@mkdir -p $(TOOLS)
	$(GO) build -modfile=tools/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: lint
lint: $(LINT) ## golangci-lint and a tidy go.mod, of the benchmark too
	$(LINT) run --allow-parallel-runners ./...
	$(GO) mod tidy -diff
	cd bench && $(GO) vet ./... && $(LINT) run --allow-parallel-runners -c ../.golangci.yml ./... && $(GO) mod tidy -diff

.PHONY: generate
generate: ## make the generated files again
	$(GO) generate ./...

.PHONY: check-generated
check-generated: ## fail when a generated file is not what its source gives
	@.ci/check-generated

CASES ?= 3000
SEED ?= 20260301

.PHONY: check-contract
check-contract: build ## hold the answers of a gateway against api/openapi.yaml with Schemathesis (needs python3, curl); CASES, SEED
	@CACHE=$(CACHE) .ci/check-contract bin/scopegate $(CASES) $(SEED)
