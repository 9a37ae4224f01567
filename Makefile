# Build, test and lint. `make help` lists the targets.

PYTHON   ?= /usr/bin/python3
UWSGI    ?= uwsgi
ifeq ($(origin CC),default)
CC := gcc
endif
JOBS     ?= $(shell nproc)
# Test files run beside each other: most of them wait for windows to end.
TEST_JOBS ?= 8
MACHINE  := $(shell uname -m)
# Tests and benchmarks take this build.
ON_THIS_BUILD = CPROF_PLUGIN_DIR='$(CURDIR)' UWSGI='$(UWSGI)' PYTHON='$(PYTHON)'

# From PyPI (tools/lint-requirements.txt), so that they are the same on each Debian.
CLANG_FORMAT ?= build/venv/bin/clang-format
# The program itself: what PyPI puts in front of it prints a line of its own.
CLANG_TIDY   ?= build/venv/lib/python3*/site-packages/clang_tidy/data/bin/clang-tidy
RUFF         ?= build/venv/bin/ruff

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

find_c          = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
SHARED_SOURCES  := $(call find_c,shared)
PLUGIN_SOURCES  := $(call find_c,plugin)
GATEWAY_SOURCES := $(call find_c,gateway)
TEST_SOURCES    := $(call find_c,tests bench)
SOURCES         := $(SHARED_SOURCES) $(PLUGIN_SOURCES) $(GATEWAY_SOURCES)
find_h          = $(sort $(shell find $(1) -name '*.h' 2>/dev/null))
HEADERS         := $(call find_h,shared plugin gateway)
TEST_HEADERS    := $(call find_h,tests bench)
OBJECTS         := $(SOURCES:%.c=build/objects/%.o)
PROGRAMS        := cloudprofiler_plugin.so cloudprofiler-gateway
SHELL_SCRIPTS   := .ci/run tools/install-packages tools/lint-binary tools/lint-banned

##@ Building

.PHONY: all build
all: build $(if $(shell command -v npm),web) ## Build all that can be (the default): the page needs npm.
build: $(PROGRAMS) ## Build the plugin and the gateway program.

# One run makes both files. uWSGI compiles everything in one go, so that any change rebuilds all.
$(PROGRAMS) &: $(SOURCES) $(HEADERS) proto/profile.proto uwsgiplugin.py build/toolchain
	@echo 'build $(PROGRAMS) (log: build/build.log)'
	@PYTHON='$(PYTHON)' $(UWSGI) --build-plugin . > build/build.log 2>&1 || \
		{ cat build/build.log; exit 1; }
	@grep -A 4 'warning:' build/build.log || true
	@touch $(PROGRAMS)

# Changes when another Python or uWSGI is asked for, and only then.
build/toolchain: FORCE
	@mkdir -p build
	@{ echo '$(PYTHON) $(UWSGI) $(CC)'; $(PYTHON) --version; $(UWSGI) --version; } > $@.new 2>&1
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
FORCE:

.PHONY: deps deps-demo deps-quick deps-test deps-lint
deps: deps-demo deps-test deps-lint ## Install the Debian packages that all targets need.
deps-demo:
	@tools/install-packages demo
deps-quick:
	@tools/install-packages demo test
deps-test:
	@tools/install-packages demo test pprof web browser
deps-lint: build/venv/ready
	@tools/install-packages demo lint

build/venv/ready: tools/lint-requirements.txt
	@tools/install-packages demo lint
	$(PYTHON) -m venv --clear build/venv
	build/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: clean
clean: ## Remove everything that was built.
	rm -rf build .uwsgi_plugins_builder $(PROGRAMS) cloudprofiler-web

# File by file: what lint and the unit tests work on. -isystem keeps the strict warnings away
# from headers that are not ours; -MMD leaves those out, so that they stand in PREPARED.
STRICT := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror
# As a shell sees them: uWSGI's flags contain quotes.
uwsgi_defines   = $(shell cat build/uwsgi/defines)
python_includes = $(shell cat build/uwsgi/python-includes)
COMMON_FLAGS    = -std=gnu11 -D_GNU_SOURCE -pthread -fvisibility=hidden \
	-isystem build/uwsgi -isystem build/generated $(python_includes) \
	-DCPROF_UWSGI_HASH=0ULL $(uwsgi_defines)
PREPARED        := build/uwsgi/uwsgi.h build/generated/profile.pb-c.h

build/uwsgi/uwsgi.h: build/toolchain
	@mkdir -p $(@D)
	$(UWSGI) --cflags | grep -o -- '-DUWSGI_[^ ]*' > build/uwsgi/defines
	$(PYTHON) -c 'import sysconfig; print("-isystem " + sysconfig.get_path("include"))' \
		> build/uwsgi/python-includes
	$(UWSGI) --dot-h > $@

build/generated/profile.pb-c.c build/generated/profile.pb-c.h &: proto/profile.proto
	@mkdir -p build/generated
	protoc-c -Iproto --c_out=build/generated $<

.PHONY: objects
objects: $(OBJECTS) ## Compile file by file with the strict warnings, all of them errors.

build/objects/%.o: %.c $(PREPARED)
	@mkdir -p $(@D)
	@echo 'compile $<'
	@$(CC) $(COMMON_FLAGS) $(STRICT) -O2 -g -fPIC -MMD -MP -c $< -o $@

##@ Testing

# Each tests/unit/test_*.c is a program under the address and undefined behaviour sanitizers,
# each tsan_*.c one under the thread sanitizer. tools/unit-rules writes their rules. http_tool.c and
# credentials_tool.c are programs that tests in tests/gateway drive, windows_gateway.c stands in for
# the gateway in a test on a real uWSGI.
UNIT_SOURCES    := $(sort $(wildcard tests/unit/test_*.c tests/unit/tsan_*.c)) \
	tests/unit/http_tool.c tests/unit/credentials_tool.c tests/unit/windows_gateway.c \
	tests/unit/full_logs_gateway.c
UNIT_PROGRAMS   := $(UNIT_SOURCES:tests/unit/%.c=build/unit/%)
# What the gateway is linked with; uwsgiplugin.py has the list.
GATEWAY_LIBRARIES := $(shell sed -n 's/^GATEWAY_LIBS = .*\[\(.*\)\]/\1/p' uwsgiplugin.py | tr -d '",')
TSAN_SOURCES    := $(SHARED_SOURCES) $(wildcard gateway/profile/*.c)
LIBRARY_SOURCES := $(SHARED_SOURCES) \
	$(filter-out gateway/main.c,$(GATEWAY_SOURCES))
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all
TSAN := -fsanitize=thread
# For tests with an interpreter inside. Its symbols are looked up by name, wherever they are.
embedded_python = $(shell $(PYTHON)-config --embed --ldflags) -rdynamic

.PHONY: unit
unit: $(UNIT_PROGRAMS) ## Build the unit tests; pytest runs them.

define sanitizer_rules
build/$(1)/%.o: %.c $(PREPARED)
	@mkdir -p $$(@D)
	@echo 'compile with $($(2)): $$<'
	@$$(CC) $$(COMMON_FLAGS) $$(STRICT) $$($(2)) $$(UNIT_FLAGS) -O1 -g -fno-omit-frame-pointer \
		-MMD -MP -c $$< -o $$@

build/$(1)/generated.o: build/generated/profile.pb-c.c
	@mkdir -p $$(@D)
	@$$(CC) -std=gnu11 $$($(2)) -O1 -g -isystem build/generated -c $$< -o $$@

build/$(1)/library.a: $($(3):%.c=build/$(1)/%.o) build/$(1)/generated.o
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
endef
$(eval $(call sanitizer_rules,asan,ASAN,LIBRARY_SOURCES))
# Tests read logs with the gateway's reader; what else they want of it they name.
$(eval $(call sanitizer_rules,tsan,TSAN,TSAN_SOURCES))

build/unit.mk: $(UNIT_SOURCES) tools/unit-rules
	@mkdir -p build
	tools/unit-rules $(UNIT_SOURCES) > $@

test_programs = build objects unit step-programs fuzz-programs $(WEB_DIRECTORY)/index.html

.PHONY: test test-quick test-many
test: deps-test ## Run all tests: unit tests and tests on a real uWSGI.
	$(MAKE) --no-print-directory -j$(JOBS) $(test_programs)
	CPROF_TARGET=$@ $(ON_THIS_BUILD) $(PYTHON) -m pytest -n $(TEST_JOBS) --dist loadfile tests/

# A minute at most.
QUICK_TESTS := tests/unit/test_units.py $(addprefix tests/e2e/test_,check.py kills.py kinds.py \
	mules.py refusals.py stacks.py truth.py)
test-quick: deps-quick ## Run the part of the tests that takes a minute: no browser, Go or Node.js.
	@$(MAKE) --no-print-directory -j$(JOBS) build unit
	@CPROF_TARGET=$@ $(ON_THIS_BUILD) $(PYTHON) -m pytest -q -n $(TEST_JOBS) --dist loadfile $(QUICK_TESTS)

TIMES ?= 6
BUSY  ?= 0
ONLY  ?= tests/
test-many: deps-test ## Run the tests TIMES times, beside BUSY processes that spin (ONLY="...": these).
	@$(MAKE) --no-print-directory -j$(JOBS) $(test_programs)
	@$(ON_THIS_BUILD) $(PYTHON) tests/many.py $(TIMES) $(BUSY) $(TEST_JOBS) $(ONLY)

##@ Checking

.PHONY: lint
lint: deps-lint ## Run every check that needs no server to be tested.
	$(MAKE) --no-print-directory build
	$(MAKE) --no-print-directory -j$(JOBS) --output-sync=target lint-format lint-tidy \
		lint-cppcheck lint-sigsafe lint-layers lint-binary lint-banned lint-ruff lint-shell \
		lint-docs lint-layout

FORMATTED := $(SOURCES) $(TEST_SOURCES) $(HEADERS) $(TEST_HEADERS)

.PHONY: lint-format lint-tidy lint-cppcheck lint-sigsafe lint-layers lint-binary lint-banned
.PHONY: lint-ruff lint-shell lint-docs lint-layout
lint-format: build/venv/ready
	@echo 'rule: C is laid out by .clang-format'
	@$(CLANG_FORMAT) --dry-run --Werror $(FORMATTED)
	@echo 'rule: no line of C is longer than 100 columns, comments included'
	@! awk 'length > 100 { print FILENAME ":" FNR ": " length " columns"; found = 1 } \
		END { exit !found }' $(FORMATTED)

lint-tidy: $(SOURCES:%.c=build/tidy/%.ok)
build/tidy/%.ok: %.c $(HEADERS) .clang-tidy $(PREPARED) build/venv/ready
	@mkdir -p $(@D)
	@echo 'rule: clang-tidy finds nothing: $<'
	@$(CLANG_TIDY) --quiet $< -- $(COMMON_FLAGS) 2> $@.log || { cat $@.log; exit 1; }
	@touch $@

# normalCheckLevelMaxBranches is what newer versions say of themselves, not of the code.
# uninitvar takes an array that a called function fills for uninitialised; gcc and clang-tidy
# look for the same fault with more care.
lint-cppcheck:
	@echo 'rule: cppcheck finds nothing'
	@cppcheck --quiet --std=c11 -j$(JOBS) --enable=warning,performance,portability \
		--suppress=normalCheckLevelMaxBranches --suppress=uninitvar --inline-suppr \
		--error-exitcode=1 -D_GNU_SOURCE -D__linux__ -D__$(MACHINE)__ \
		-DPY_MAJOR_VERSION=3 -DPY_MINOR_VERSION=11 -DCPROF_UWSGI_HASH=0ULL $(SOURCES)

lint-sigsafe: $(OBJECTS)
	@tools/sigsafe build/objects

lint-layers:
	@tools/layers .

lint-binary: $(PROGRAMS)
	@tools/lint-binary cloudprofiler_plugin.so

lint-banned:
	@tools/lint-banned .

lint-ruff: build/venv/ready
	@echo 'rule: Python passes ruff check and ruff format'
	@$(RUFF) check --quiet .
	@$(RUFF) format --quiet --check .

lint-shell:
	@echo 'rule: shell scripts pass shellcheck'
	@shellcheck $(SHELL_SCRIPTS)

lint-docs: $(PROGRAMS)
	@echo 'rule: docs/options.md is what the plugin says (make docs)'
	@tools/options-doc $(UWSGI) | diff -u docs/options.md -

lint-layout:
	@tools/layout-doc $(CC)

.PHONY: format
format: build/venv/ready ## Lay out C and Python files as lint wants them.
	$(CLANG_FORMAT) -i $(FORMATTED)
	$(RUFF) check --quiet --fix .
	$(RUFF) format --quiet .

##@ Looking

.PHONY: demo
demo: deps-demo ## Profile a small Flask shop for 15 seconds and print where the time went.
	@$(MAKE) --no-print-directory build $(if $(shell command -v npm),$(WEB_DIRECTORY)/index.html)
	@$(PYTHON) tools/demo.py $(UWSGI)

.PHONY: pictures
pictures: deps-test ## Take the profiles and pictures of docs/pictures.md anew.
	@$(MAKE) --no-print-directory build $(WEB_DIRECTORY)/index.html
	@$(ON_THIS_BUILD) $(PYTHON) tools/pictures/take.py

.PHONY: docs
docs: build ## Write docs/options.md anew from the plugin's own help.
	tools/options-doc $(UWSGI) > build/options.md
	mv build/options.md docs/options.md

.PHONY: help
help: ## Print this list.
	@awk -F ':.*## ' '/^##@/ { printf "%s:\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

include bench/bench.mk
include tests/step/step.mk
include tests/matrix/matrix.mk
include tests/truth/truth.mk
include tests/mutants/mutants.mk
include tests/soak/soak.mk
include tests/fuzz/fuzz.mk
include tests/eintr/wall.mk
include tests/assumptions/assumptions.mk
include tests/standin/conformance.mk
include web/web.mk
# Rules of the unit tests, of their `// sources:` lines: made only for goals that need them.
ifneq ($(filter unit test bench step,$(MAKECMDGOALS))$(findstring build/unit/,$(MAKECMDGOALS)),)
-include build/unit.mk
endif
-include $(shell find build -name '*.d' 2>/dev/null)
