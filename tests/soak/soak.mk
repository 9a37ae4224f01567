# `make soak`, `make kill-soak`, `make crash-load`, `make cloud-soak`, `make cloud-faults`,
# `make tag-flood`: long runs. Those on several CPythons have matrix.py build for each.

SOAK_SECONDS       ?= 120
KILL_SOAK_SECONDS  ?= 300
CRASH_LOAD_SECONDS ?= 150
CLOUD_SOAK_SECONDS ?= 300
CLOUD_FAULTS_SECONDS ?= 20
TAG_FLOOD_VALUES   ?= 1000000
export SOAK_PYTHONS SOAK_WITHOUT_PERF KILL_SOAK_SEED CRASH_LOAD_PYTHONS

build/soak/c_threads.so: tests/soak/c_threads.c
	@mkdir -p $(@D)
	@echo 'link $@'
	@$(CC) -std=gnu11 -D_GNU_SOURCE -pthread $(STRICT) -O2 -g -fPIC -shared -o $@ $<

.PHONY: soak kill-soak crash-load cloud-soak cloud-faults tag-flood deps-soak
deps-soak:
	@tools/install-packages demo test soak
soak: deps-soak build/soak/c_threads.so ## Torture several CPythons (SOAK_SECONDS each, SOAK_PYTHONS).
	@$(PYTHON) tests/soak/soak.py build/soak/c_threads.so $(SOAK_SECONDS)
	@$(MAKE) --no-print-directory kill-soak
	@$(MAKE) --no-print-directory fuzz-long
kill-soak: deps-soak ## Kill, reload and resize a loaded server at random (KILL_SOAK_SECONDS, KILL_SOAK_SEED).
	@$(MAKE) --no-print-directory build
	@$(ON_THIS_BUILD) $(PYTHON) tests/soak/kills.py $(KILL_SOAK_SECONDS)
crash-load: deps-soak ## Load a trivial app as fast as it goes (CRASH_LOAD_SECONDS, CRASH_LOAD_PYTHONS).
	@$(PYTHON) tests/soak/crash_load.py $(CRASH_LOAD_SECONDS)
cloud-soak: deps-test ## Upload profiles of both kinds to the stand-in for Google (CLOUD_SOAK_SECONDS).
	@$(MAKE) --no-print-directory build
	@$(ON_THIS_BUILD) $(PYTHON) tests/soak/cloud.py $(CLOUD_SOAK_SECONDS)
cloud-faults: deps-test ## The gateway's CPU time while Cloud Profiler fails (CLOUD_FAULTS_SECONDS a fault).
	@$(MAKE) --no-print-directory build
	@$(ON_THIS_BUILD) $(PYTHON) tests/soak/cloud_faults.py $(CLOUD_FAULTS_SECONDS)
tag-flood: deps-test ## Set tags to values that never come again (TAG_FLOOD_VALUES, a million).
	@$(MAKE) --no-print-directory build
	@$(ON_THIS_BUILD) $(PYTHON) tests/soak/tag_flood.py $(TAG_FLOOD_VALUES)

.PHONY: go-soak
go-soak: deps-test build ## Run a library with a Go runtime, five minutes in each form.
	GO_SECONDS=300 CPROF_PLUGIN_DIR=$(CURDIR) $(PYTHON) -m pytest -q tests/e2e/test_go_library.py
