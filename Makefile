# headgate's commands. Each can be run in a fresh clone: what is missing is fetched.

SHELL = /bin/bash
FUNCTIONS = $(patsubst functions/%/main.go,%,$(wildcard functions/*/main.go))
GOARCH ?= $(shell go env GOARCH)
GO_BUILD = CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) go build -trimpath -buildvcs=false -tags lambda.norpc -ldflags "-s -w"

# Tools, by version, so that what passes today passes tomorrow.
GOFUMPT = go run mvdan.cc/gofumpt@v0.12.0
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.7.0
GOVULNCHECK = go run golang.org/x/vuln/cmd/govulncheck@v1.9.0
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

# PostgreSQL majors that the probe is tested on.
MAJORS = 13 14 15 16 17 18

# How long one fuzz target runs in `make fuzz`.
FUZZTIME = 1m

.PHONY: run
run: ## the API over a local file, with a sample source
	@mkdir -p bin && go build -o bin/devserver ./internal/devserver/run && exec bin/devserver

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
	@$(MAKE) --no-print-directory GOARCH=$(shell go env GOHOSTARCH) bin/$(FUNCTION)/bootstrap >/dev/null
	@go run ./internal/runtimeapi/invoke -binary bin/$(FUNCTION)/bootstrap -event $(EVENT)

# The fault suite takes minutes, and has a target of its own.
PACKAGES = $$(go list ./... | grep -v internal/faults)

.PHONY: test
test: ## all tests but the fault suite, against a real Postgres and a real moto server
	go test -timeout 10m $(PACKAGES)

.PHONY: test-faults
test-faults: ## every step of a create, an update and a delete, with every fault, and killed; prints the figures
	go test -count 1 -v -timeout 15m ./internal/faults | grep -v -e '=== ' -e '--- PASS' ; exit $${PIPESTATUS[0]}

.PHONY: test-matrix
test-matrix: ## the probe's tests on every major of PostgreSQL
	@for major in $(MAJORS); do echo "PostgreSQL $$major"; PG_MAJOR=$$major go test -timeout 10m -count 1 ./internal/probe || exit 1; done

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@grep -rl '^func Fuzz' --include='*_test.go' . | while read file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			echo "$$target in $$(dirname $$file)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$(dirname $$file) || exit 1; \
		done; \
	done

.PHONY: check
check: format lint template ## format, vet, linters, the template's linters, then all tests with the race detector
	go mod verify
	go test -race -timeout 20m $(PACKAGES)

.PHONY: format
format:
	@unformatted=$$($(GOFUMPT) -l $$(git ls-files '*.go')) && test -z "$$unformatted" || { echo "not formatted by gofumpt:"; echo "$$unformatted"; exit 1; }

.PHONY: lint
lint:
	go vet ./...
	$(STATICCHECK) ./...
	@$(GOVULNCHECK) ./... || { test $$? -ne 3 && echo "govulncheck: its database could not be reached"; }

.PHONY: template
template: $(SAM_TOOLS) $(CHECKOV_TOOL) ## the template's linters
	$(CFN_LINT) --append-rules cfn_lint_serverless.rules --template template.yaml
	$(SAM) validate --lint
	@# Without an account, and without asking the network. A template that it can't read is no failure to it.
	set -o pipefail; $(CHECKOV) --file template.yaml --framework cloudformation --quiet --compact --skip-download \
		| tee /dev/stderr | (! grep 'Parsing errors' >/dev/null)

.PHONY: sam-build
sam-build: $(SAM_TOOLS) ## what is deployed, built by SAM: ARCHITECTURE=arm64 or x86_64
	$(SAM) build --parameter-overrides Architecture=$(or $(ARCHITECTURE),arm64)

.PHONY: reproducible
reproducible: ## whether a build in another directory, from an empty cache, gives the same bytes as SAM's
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && git ls-files -z | xargs -0 cp --parents -t "$$copy" && \
	for architecture in arm64 x86_64; do \
		$(MAKE) sam-build ARCHITECTURE=$$architecture >/dev/null && \
		GOCACHE="$$copy/.cache" $(MAKE) -C "$$copy" -f .sam/$$architecture/Makefile build >/dev/null && \
		diff <(sha256sum .aws-sam/build/*/bootstrap | cut -c1-64 | sort) <(sha256sum "$$copy"/bin/*/bootstrap | cut -c1-64 | sort) && \
		echo "$$architecture: the same bytes in $$(ls .aws-sam/build/*/bootstrap | wc -l) functions" || exit 1; \
	done

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
help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | column -t -s '|'
