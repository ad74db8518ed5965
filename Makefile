# What there is to do. On a new machine with Rust and make, `make demo` and `make test` need nothing else.

# A pipe fails where any part of it does.
SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
CARGO_FLAGS ?= --locked
DEMO_ARGS ?=
INTEROP := target/interop
NPM := .ci/node npm --prefix src/web --no-fund --no-audit
PAGES := $(shell find src/web -type f -not -path '*/node_modules/*' -not -name schema.d.ts)
# What asks for signatures to be verified, and so is run on each path of Ed25519.
SIGNATURES := corpora:: foreign interop:: http_batch:: http_verify:: keys:: offline:: vectors:: walk::
FUZZ_TARGETS := ed25519_paths verify_text
FUZZ_SECONDS ?= 60
# Inputs grow soon: one of a few bytes is hardly a signature.
FUZZ_FLAGS = -max_total_time=$(FUZZ_SECONDS) -timeout=20 -len_control=10 -print_final_stats=1

.PHONY: demo build web test bench loadtest check vectors openapi screenshots fuzz

demo: build  ## The whole service at work, then serving on 127.0.0.1:8080; DEMO_ARGS=--once stops after the verification
	target/release/thexanh demo $(DEMO_ARGS)

build: web
	.ci/need initdb
	cargo build --release $(CARGO_FLAGS)

web: target/web/index.html  ## The pages, which a release then holds; other builds read them from there

target/web/index.html: src/web/node_modules/.package-lock.json $(PAGES)
	$(NPM) run build
	touch $@

src/web/node_modules/.package-lock.json: src/web/package.json src/web/package-lock.json
	$(NPM) ci
	touch $@

test: $(INTEROP)/ready web
	.ci/need initdb zbarimg pdftotext openssl softhsm2-util chromium
	export INTEROP_PYTHON=$(INTEROP)/bin/python; \
	cargo test --workspace $(CARGO_FLAGS); \
	.ci/node node --test-reporter=spec tests/web/all.mjs; \
	for path in portable library; do THEXANH_ED25519=$$path cargo test --workspace $(CARGO_FLAGS) --test it -- $(SIGNATURES); done

# An independent implementation for the tests: other people's CBOR and cryptography, in another language.
$(INTEROP)/ready: tests/interop/requirements.txt
	.ci/need venv
	python3 -m venv --clear $(INTEROP)
	$(INTEROP)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

bench: build  ## Ends with one line a path: figure: <name> <value> <unit> <ratio>x <against>
	.ci/need initdb chromium
	cargo bench $(CARGO_FLAGS) | tee target/figures
	cargo run --release $(CARGO_FLAGS) -p loadtest -- verify | tee -a target/figures
	THEXANH=target/release/thexanh .ci/node node --test-reporter=spec tests/web/figures.mjs | tee -a target/figures
	@grep -E '^(peer|figure): ' target/figures

loadtest: build  ## Registrations, doses, matching, lists, propagation and verifying under load, every answer checked; FULL=1 takes longer
	cargo run --release $(CARGO_FLAGS) -p loadtest -- $(if $(FULL),--full)

check: web
	$(NPM) run check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items $(CARGO_FLAGS)
	.ci/deny

vectors:  ## Makes tests/vectors anew: the same bytes every time
	MAKE_VECTORS=1 cargo test $(CARGO_FLAGS) --test it the_file_is_what_make_vectors_makes

screenshots: web  ## Every page at phone and desk width, into target/screenshots
	.ci/need initdb chromium
	cargo build $(CARGO_FLAGS)
	.ci/node node --test-reporter=spec tests/web/screenshots.mjs

openapi:  ## Writes src/web/openapi.json anew, of which the pages have their types
	MAKE_OPENAPI=1 cargo test $(CARGO_FLAGS) --test it the_pages_know_the_api_as_it_is

# Without a sanitizer the toolchain that builds everything else does, and there is hardly any unsafe code for one to watch.
fuzz:  ## Looks for inputs that break something, FUZZ_SECONDS a target; what was learnt stays in fuzz/corpus
	.ci/need c++ cargo-fuzz
	cargo tree $(CARGO_FLAGS) --manifest-path fuzz/Cargo.toml >/dev/null # cargo-fuzz itself cannot be told --locked
	for target in $(FUZZ_TARGETS); do \
	  cargo fuzz run --sanitizer none $$target -- $(FUZZ_FLAGS) || exit 1; \
	done
