# `make bench`. The plugin's rooms are linked into a library that a plain Python loads.

BENCH_SECONDS ?= 270
# Runs the measurements; PYTHON is what is measured, and may be an old one.
BENCH_PYTHON  ?= /usr/bin/python3

BENCH_SOURCES := bench/overflow.c $(call find_c,shared $(addprefix plugin/,ground python tags record threads sample))

build/bench/overflow.so: $(BENCH_SOURCES:%.c=build/objects/%.o)
	@mkdir -p $(@D)
	@echo 'link $@'
	@$(CC) -shared -pthread -Wl,--wrap=cprof_engine_perf_arm \
		-Wl,--wrap=cprof_oncpu_owns_signal -o $@ $^

build/bench/sleeper.so: build/objects/bench/sleeper.o
	@mkdir -p $(@D)
	@echo 'link $@'
	@$(CC) -shared -pthread -o $@ $^

bench_sleepers = $(ON_THIS_BUILD) $(BENCH_PYTHON) bench/sleepers.py build/bench/sleeper.so 5

bench_tags = $(ON_THIS_BUILD) $(BENCH_PYTHON) bench/tags.py

bench_endpoint = $(ON_THIS_BUILD) $(BENCH_PYTHON) bench/endpoint.py

bench_latency = $(ON_THIS_BUILD) $(BENCH_PYTHON) bench/latency.py

bench_scale = $(ON_THIS_BUILD) $(BENCH_PYTHON) bench/scale.py

bench_switches = $(ON_THIS_BUILD) $(BENCH_PYTHON) bench/switches.py

bench_run = $(ON_THIS_BUILD) $(BENCH_PYTHON) bench/run.py build/bench/overflow.so $(BENCH_SECONDS) build/bench/peers

.PHONY: bench bench-asleep bench-overflows bench-sleepers bench-tags bench-endpoint
.PHONY: bench-latency bench-scale bench-switches deps-bench
deps-bench:
	@tools/install-packages demo test bench

bench: deps-test deps-bench ## Measure what profiling costs, other profilers too (BENCH_SECONDS, 270).
	@$(MAKE) --no-print-directory -j$(JOBS) build build/bench/overflow.so \
		build/bench/sleeper.so build/unit/full_logs_gateway
	@$(bench_sleepers)
	@$(bench_tags)
	@$(bench_endpoint)
	@$(bench_latency)
	@$(bench_switches)
	@$(bench_run)
	@$(bench_scale)

bench-sleepers: deps-test # What looks at sleeping threads cost alone.
	@$(MAKE) --no-print-directory -j$(JOBS) build build/bench/sleeper.so
	@$(bench_sleepers)

bench-tags: deps-test # What setting a tag costs the app.
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@$(bench_tags)

bench-endpoint: deps-test # What the local endpoint costs while nobody asks.
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@$(bench_endpoint)

bench-scale: deps-test # What 1 to 64 workers cost, and full logs.
	@$(MAKE) --no-print-directory -j$(JOBS) build build/unit/full_logs_gateway
	@$(bench_scale)

bench-latency: deps-bench # What asking for all stacks again and again costs the app.
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@$(bench_latency)

bench-switches: deps-bench # What perf events cost an app that serves thousands of requests a second.
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@$(bench_switches)

bench-asleep: deps-test # What wall profiles of an app that sleeps cost alone, the agent's too.
	@$(MAKE) --no-print-directory -j$(JOBS) build build/bench/overflow.so
	@$(bench_run) asleep

bench-overflows: deps-test # The handlers' part of it alone.
	@$(MAKE) --no-print-directory -j$(JOBS) build/bench/overflow.so
	@$(bench_run) overflows
