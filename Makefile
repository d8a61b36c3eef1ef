# headgate's commands. Each can be run in a fresh clone: what is missing is fetched.

SHELL = /bin/bash
.DEFAULT_GOAL = help
FUNCTIONS = $(patsubst functions/%/main.go,%,$(wildcard functions/*/main.go))
GOARCH ?= $(shell go env GOARCH)
GO_BUILD = CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) go build -trimpath -buildvcs=false -tags lambda.norpc -ldflags "-s -w"

# For programs that run here, whatever GOOS and GOARCH say.
GO_HOST = CGO_ENABLED=0 GOOS=$(shell go env GOHOSTOS) GOARCH=$(shell go env GOHOSTARCH) go

# Tools, by version, so that what passes today passes tomorrow.
GOFUMPT = go run mvdan.cc/gofumpt@v0.12.0
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.7.0
GOVULNCHECK = go run golang.org/x/vuln/cmd/govulncheck@v1.9.0
DEADCODE = go run golang.org/x/tools/cmd/deadcode@v0.52.0
SAM_VERSION = 1.170.0
SAM_ENV = SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-west-1
SAM = $(SAM_ENV) .cache/sam/bin/sam
CFN_LINT_VERSION = 1.58.0
CFN_LINT_SERVERLESS_VERSION = 0.3.6
CFN_LINT = .cache/sam/bin/cfn-lint
# What says that these versions are installed.
SAM_TOOLS = .cache/sam/tools-$(SAM_VERSION)-$(CFN_LINT_VERSION)-$(CFN_LINT_SERVERLESS_VERSION)
CHECKOV_VERSION = 3.3.30
CHECKOV = .cache/checkov/bin/checkov
CHECKOV_TOOL = .cache/checkov/tool-$(CHECKOV_VERSION)
REDOCLY_VERSION = 2.77.0
REDOCLY = .cache/redocly/$(REDOCLY_VERSION)/node_modules/.bin/redocly

# PostgreSQL majors that the probe is tested on.
MAJORS = 13 14 15 16 17 18

# How long one fuzz target runs in `make fuzz`.
FUZZTIME = 1m

.PHONY: run
run: ## the API over a local file, with a sample source; docs/local.md has its variables
	@echo "Building bin/devserver; the first time that takes a minute or two."
	@mkdir -p bin && $(GO_HOST) build -o bin/devserver ./internal/devserver/run && exec bin/devserver

.PHONY: build
build: $(FUNCTIONS:%=bin/%/bootstrap) ## every function, for GOARCH

.PHONY: FORCE
FORCE:
bin/%/bootstrap: FORCE
	@mkdir -p $(@D)
	$(GO_BUILD) -o $@ ./functions/$*

# build-CreateDatabaseFunction and so on: what `sam build` asks for, by the template's names.
build-%Function:
	$(GO_BUILD) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(shell echo $* | sed "s/\(.\)\([A-Z]\)/\1-\2/g" | tr A-Z a-z)

.PHONY: invoke
invoke: ## one function once: FUNCTION=create-database EVENT=events/create-database-by-fields.json
	@test -n "$(FUNCTION)" -a -n "$(EVENT)" || { echo "usage: make invoke FUNCTION=create-database EVENT=events/create-database-by-fields.json" >&2; exit 2; }
	@echo "Building bin/invoke/$(FUNCTION); the first time that takes a minute or two." >&2
	@mkdir -p bin/invoke/$(FUNCTION) && $(GO_HOST) build -tags lambda.norpc -o bin/invoke/$(FUNCTION)/bootstrap ./functions/$(FUNCTION)
	@$(GO_HOST) run ./internal/testkit/runtimeapi/invoke -binary bin/invoke/$(FUNCTION)/bootstrap -event $(EVENT)

# The faults, the verdicts and the attacks take minutes, `sam local` needs a container engine, and Debezium Maven: each has its
# own target.
PACKAGES = $$(go list ./... | grep -v -e internal/suites/faults -e internal/suites/samlocal -e internal/suites/verdicts -e internal/suites/hostile -e internal/suites/debezium)

.PHONY: test
test: ## all tests but those of test-faults, test-verdicts, test-hostile, test-debezium and sam-local, against a real Postgres and a real moto server
	go test -timeout 10m $(PACKAGES)

.PHONY: test-faults
test-faults: ## every fault in every step of a create, an update, a delete and an event; prints the figures
	go test -count 1 -v -timeout 15m ./internal/suites/faults | grep -a -v -e '=== ' -e '--- PASS' ; exit $${PIPESTATUS[0]}

# The duration of `make soak`. As a part of `make test-faults` the soak takes seconds.
SOAKTIME = 5m

.PHONY: soak
soak: ## random requests with random faults for SOAKTIME; nothing may be lost or leaked
	go test -count 1 -v -timeout 0 -run Soak ./internal/suites/faults -soak $(SOAKTIME)

# How many random servers and requests `make test-hostile` makes. What is random follows from HOSTILE_SEED; 0 is a seed
# from the clock, which is printed.
HOSTILE_SERVERS = 120
HOSTILE_CALLERS = 3000
HOSTILE_SEED = 0

.PHONY: test-hostile
test-hostile: ## forbidden addresses, hostile names, servers and callers, echoed passwords; prints the figures
	@set -o pipefail; go test -count 1 -v -timeout 15m ./internal/suites/hostile -servers $(HOSTILE_SERVERS) -callers $(HOSTILE_CALLERS) \
		-seed $(HOSTILE_SEED) | grep -a -v -e '=== ' -e '--- PASS'

.PHONY: test-matrix
test-matrix: ## the probe's tests, and consumers of what creates made, on every major version of PostgreSQL
	@for run in $(MAJORS:%=%/false) $(firstword $(MAJORS))/true $(lastword $(MAJORS))/true; do \
		echo "PostgreSQL $${run%/*}, no-pipelining=$${run#*/}"; \
		PG_MAJOR=$${run%/*} go test -timeout 10m -count 1 ./internal/probe -no-pipelining=$${run#*/} || exit 1; \
	done
	@for major in $(MAJORS); do \
		echo "PostgreSQL $$major, consumers"; \
		PG_MAJOR=$$major go test -timeout 10m -count 1 -run TestConsumer ./internal/suites/functions || exit 1; \
	done

# How many scenes `make test-verdicts` makes, and the first one's seed: 0 is one from the clock, which is printed.
SCENES = 150
SEED = 0

.PHONY: test-verdicts
test-verdicts: ## random targets, judged by what a real consumer meets, with every fix run: SCENES=150 SEED=0 PG_MAJOR=17
	PG_MAJOR=$(PG_MAJOR) go test -count 1 -v -timeout 0 ./internal/suites/verdicts -scenes $(SCENES) -seed $(SEED)

.PHONY: test-verdicts-matrix
test-verdicts-matrix: test-verdicts ## the same on this machine's Postgres, and 20 scenes on each major
	@for major in $(MAJORS); do $(MAKE) --no-print-directory test-verdicts SCENES=20 SEED=$(SEED) PG_MAJOR=$$major || exit 1; done

.PHONY: bench
bench: ## headgate's figures, their goals, and those of a naive implementation; takes some minutes
	@go run ./internal/suites/bench/run

.PHONY: bench-checks
bench-checks: ## health checks of 2,000 registrations on a real server: time, connections at once, memory, walsenders
	@go run ./internal/suites/bench/checks

.PHONY: bench-growth
bench-growth: ## the checks on sources of up to 200,000 tables, on PostgreSQL 15, 17 and 18; takes a quarter of an hour
	@go run ./internal/suites/bench/run -growth

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@grep -rl '^func Fuzz' --include='*_test.go' . | while read file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			echo "$$target in $$(dirname $$file)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$(dirname $$file) || exit 1; \
		done; \
	done

.PHONY: check
check: format lint template openapi-lint ## format, vet, linters, the template's linters, then all tests with the race detector
	go mod verify
	go test -race -timeout 20m $(PACKAGES)

.PHONY: format
format:
	@unformatted=$$($(GOFUMPT) -l $$(git ls-files '*.go')) && test -z "$$unformatted" || { echo "not formatted by gofumpt:"; echo "$$unformatted"; exit 1; }

.PHONY: lint
lint:
	go vet ./...
	$(STATICCHECK) ./...
	@unreachable=$$($(DEADCODE) -test ./...) && test -z "$$unreachable" || { echo "$$unreachable"; exit 1; }
	@$(GOVULNCHECK) ./... || { test $$? -ne 3 && echo "govulncheck: its database could not be reached"; }

.PHONY: docs
docs: ## writes the generated pages: docs/checks.md from internal/check, docs/licences.md from what is linked in
	go test -count 1 ./internal/check ./internal/suites/licences -update

.PHONY: openapi
openapi: ## internal/httpapi/openapi.json from openapi.yaml
	go test -count 1 ./internal/httpapi -run TestOpenAPI_JSON -update

.PHONY: openapi-lint
openapi-lint: $(REDOCLY) ## Redocly's linter on the OpenAPI document
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(REDOCLY) lint --config internal/httpapi/redocly.yaml internal/httpapi/openapi.json

$(REDOCLY):
	npm install --silent --no-audit --no-fund --prefix .cache/redocly/$(REDOCLY_VERSION) @redocly/cli@$(REDOCLY_VERSION)

.PHONY: schemas
schemas: ## the schemas of events/schemas/ into template.yaml
	go test -count 1 ./internal/suites/template -run TestTemplate_UpdateSchemas -update

# How many random operations `make test-changes` makes.
OPERATIONS = 1000

.PHONY: test-changes
test-changes: ## random creates, updates and deletes with faults: each is on the bus once, in order; prints the figures
	@set -o pipefail; go test -count 1 -v -timeout 20m ./internal/suites/changes -operations $(OPERATIONS) | grep -a -v -e '=== ' -e '--- PASS'

.PHONY: test-debezium
test-debezium: ## a consumer from a registration: Debezium's engine, configured by examples/debezium; needs Maven and Java 17
	go test -count 1 -v -timeout 15m ./internal/suites/debezium

.PHONY: template
template: $(SAM_TOOLS) $(CHECKOV_TOOL) ## the template's linters
	$(CFN_LINT) --append-rules cfn_lint_serverless.rules --template template.yaml
	$(CFN_LINT) --template examples/cloudformation/*.yaml examples/events/*.yaml
	$(SAM) validate --lint
	@# Without an account, and without asking the network. A template that it can't read is no failure to it.
	set -o pipefail; $(CHECKOV) --file template.yaml --framework cloudformation --quiet --compact --skip-download \
		| tee /dev/stderr | (! grep 'Parsing errors' >/dev/null)

# The stack whose logs `make logs` follows, and since when. Each function has a log group of its own.
STACK = headgate-dev
SINCE = 10min ago

.PHONY: logs
logs: $(SAM_TOOLS) ## the logs of a stack's functions as they come, until interrupted: STACK=headgate-dev SINCE='10min ago'
	SAM_CLI_TELEMETRY=0 .cache/sam/bin/sam logs --tail --start-time '$(SINCE)' $(FUNCTIONS:%=--cw-log-group /aws/lambda/$(STACK)/%)

.PHONY: sam-tools
sam-tools: $(SAM_TOOLS)

.PHONY: sam-build
sam-build: $(SAM_TOOLS) ## what is deployed, built by SAM: ARCHITECTURE=arm64 or x86_64
	$(SAM) build --parameter-overrides Architecture=$(or $(ARCHITECTURE),arm64)

# The second build is of a copy elsewhere, with an empty cache: nothing of the first can get into it.
.PHONY: reproducible
reproducible: $(SAM_TOOLS) ## SAM builds the same binaries to the byte from another directory, for both architectures
	@copy=$$(mktemp -d) && trap 'chmod -R u+w "$$copy" && rm -rf "$$copy"' EXIT && git ls-files -z | xargs -0 cp --parents -t "$$copy" && \
	for architecture in arm64 x86_64; do \
		$(SAM) build --build-dir .cache/reproducible --parameter-overrides Architecture=$$architecture >/dev/null && \
		(cd "$$copy" && GOCACHE="$$copy/cache" $(SAM_ENV) "$(CURDIR)/.cache/sam/bin/sam" build --build-dir built \
			--parameter-overrides Architecture=$$architecture >/dev/null) && \
		diff <(cd .cache/reproducible && sha256sum */bootstrap) <(cd "$$copy/built" && sha256sum */bootstrap) && \
		echo "$$architecture: the same bytes twice in $$(ls .cache/reproducible/*/bootstrap | wc -l) functions" || exit 1; \
	done

# A directory of its own: .aws-sam/build is what `sam deploy` deploys.
.PHONY: sam-local
sam-local: ARCHITECTURE = $(subst amd64,x86_64,$(shell go env GOHOSTARCH))
sam-local: $(SAM_TOOLS) ## every event of events/ by `sam local invoke`, in a container engine that it finds or, as root, installs
	$(SAM) build --build-dir .cache/samlocal --parameter-overrides Architecture=$(ARCHITECTURE)
	SAM=$(CURDIR)/.cache/sam/bin/sam ARCHITECTURE=$(ARCHITECTURE) go test -count 1 -v -timeout 30m ./internal/suites/samlocal

$(SAM_TOOLS):
	python3 -m venv .cache/sam
	.cache/sam/bin/pip install --quiet aws-sam-cli==$(SAM_VERSION) cfn-lint==$(CFN_LINT_VERSION) \
		cfn-lint-serverless==$(CFN_LINT_SERVERLESS_VERSION)
	touch $@

# Apart from SAM: each asks for its own release of boto3.
$(CHECKOV_TOOL):
	python3 -m venv .cache/checkov
	.cache/checkov/bin/pip install --quiet checkov==$(CHECKOV_VERSION)
	touch $@

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target does; do printf 'make %-21s %s\n' "$$target" "$$does"; done
