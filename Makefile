# Everything here needs what CONTRIBUTING.md names, and nothing else: tools and Kubernetes binaries are
# fetched or built once, into ~/.cache/domicile.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# Where rustup can't fetch the toolchain that rust-toolchain.toml pins, the installed one has to do. One that is
# too old is refused by cargo itself (rust-version).
ifneq ($(shell rustc --version >/dev/null 2>&1 && echo ok),ok)
export RUSTUP_TOOLCHAIN := $(firstword $(shell rustup default 2>/dev/null))
endif

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: binaries ## Act out the story of examples/benelux, by kind if a Docker engine answers (KEEP=1 leaves it running, FLEET=local)
	@$(programs)/demo

.PHONY: test
test: test-build ## Run every test: unit, property, and integration on real API servers
	@$(doc-tests)
	@.ci/tools cargo nextest run --workspace

.PHONY: e2e
e2e: image bins ## Run the scenarios on real clusters, by kind (SCENARIO=part of a name; KEEP=1 leaves them running)
	@cargo test --workspace --test kind -- --ignored $(SCENARIO)

.PHONY: kind
kind: ## Start two real clusters to try Domicile on by hand, a hub and a member, until Ctrl-C (README.md)
	@e2e/node-image/engine check
	@$(MAKE) --no-print-directory image bins
	@$(programs)/domicile-fleet up --kind --members nl-ams-1 --dir /tmp/domicile-kind

.PHONY: bench
bench: ## Measure on a local fleet; prints a table and JSON
	@cargo build --release --workspace --bin bench --bin domicile-fleet --bin domicile-operator
	@$(programs:debug=release)/domicile-fleet binaries >/dev/null
	@$(programs:debug=release)/bench

.PHONY: build
build: ## Build everything
	@cargo build --workspace --all-targets

.PHONY: ci
ci: ## Run every gate, as CI does
	@.ci/run

.PHONY: image
image: ## Build the operator's image, with its SBOM, into target/image
	@operator/image/build.py

.PHONY: fmt
fmt: ## Format
	@cargo fmt --all

.PHONY: lint
lint: ## Clippy, with warnings as errors
	@cargo clippy --workspace --all-targets --quiet -- -D warnings

.PHONY: generate
generate: ## Write crds/yaml from the types
	@UPDATE=1 cargo test --quiet --workspace --test yaml

.PHONY: tools
tools: ## Install cargo-nextest and cargo-deny into the cache
	@.ci/tools

.PHONY: binaries
binaries: bins ## Find the Kubernetes binaries, or build them (about 10 minutes, once)
	@$(programs)/domicile-fleet binaries >/dev/null

.PHONY: advisories
advisories: ## Look for known vulnerabilities; needs the network
	@.ci/tools cargo deny check advisories

# The rest is for CI and for the targets above.

.PHONY: versions
versions:
	@rustc --version; cargo --version; go version; $(MAKE) --version | sed -n 1p; .ci/tools

.PHONY: e2e-list
e2e-list:
	@cargo test --quiet --workspace --test kind -- --list --format terse

.PHONY: image-check
image-check: image
	@operator/image/check.py

.PHONY: fmt-check
fmt-check:
	@cargo fmt --all --check

.PHONY: deny
deny:
	@.ci/tools cargo deny --locked --workspace check --hide-inclusion-graph bans licenses sources

.PHONY: docs
docs:
	@RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --workspace --no-deps --document-private-items --quiet

.PHONY: drift
drift:
	@cargo test --quiet --workspace --test yaml || { echo 'crds/yaml is not what the types say: run `make generate`' >&2; exit 1; }

# Tests and demo start the operator and the CLI as processes, from this folder. Always built for the whole
# workspace: cargo compiles dependencies again for each other choice of packages.
programs := $(or $(CARGO_TARGET_DIR),target)/debug

.PHONY: bins
bins:
	@cargo build --workspace --bins

.PHONY: test-build
test-build: binaries
	@.ci/tools cargo nextest run --workspace --no-run

# nextest doesn't run documentation tests; cargo takes a while to find out that there are none.
define doc-tests
if grep -rqE '^ *//[/!] *```(rust)?$$' --include='*.rs' crds operator e2e/src; then cargo test --quiet --workspace --doc; fi
endef
