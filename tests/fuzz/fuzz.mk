# `make fuzz`: the kept inputs of each fuzz target, under the sanitizers. `make fuzz-long`: looks for
# new ones with libFuzzer. Targets are tests/fuzz/fuzz_*.c; see tests/fuzz/fuzz.h.

FUZZ_SECONDS ?= 600
FUZZ_MUTATIONS ?= 400000 # of a segment
FUZZ_TARGETS ?= $(FUZZ_NAMES)
FUZZ_CC      ?= $(firstword $(notdir $(wildcard /usr/bin/clang-14 /usr/bin/clang-19)) clang)

FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_REPLAY  := $(FUZZ_NAMES:%=build/fuzz/fuzz_%)
FUZZ_HELPERS := tests/fuzz/patches tests/unit/fake_log
FUZZ_LIBS    := $(GATEWAY_LIBRARIES) -lm
# Those whose inputs are JSON.
FUZZ_JSON    := session api_trouble token_answer subject_token key_file

LIBFUZZER := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
build/libfuzzer/%: private CC := $(FUZZ_CC)
$(eval $(call sanitizer_rules,libfuzzer,LIBFUZZER,LIBRARY_SOURCES))

.PHONY: fuzz fuzz-programs fuzz-long fuzz-corpus deps-fuzz
deps-fuzz:
	@tools/install-packages demo fuzz

fuzz-programs: $(FUZZ_REPLAY)
$(FUZZ_REPLAY): build/fuzz/%: build/asan/tests/fuzz/%.o build/asan/tests/fuzz/replay.o \
		$(FUZZ_HELPERS:%=build/asan/%.o) build/asan/library.a
	@mkdir -p $(@D)
	@echo 'link $@'
	@$(CC) $(ASAN) -pthread $^ -o $@ $(FUZZ_LIBS)

fuzz: deps-test ## Run each fuzz target on the inputs that are kept for it.
	$(MAKE) --no-print-directory -j$(JOBS) fuzz-programs
	$(PYTHON) -m pytest -q tests/fuzz

FUZZ_HUNT := $(FUZZ_NAMES:%=build/libfuzzer/fuzz_%)
$(FUZZ_HUNT): build/libfuzzer/%: build/libfuzzer/tests/fuzz/%.o \
		$(FUZZ_HELPERS:%=build/libfuzzer/%.o) build/libfuzzer/library.a
	@echo 'link $@'
	@$(CC) -fsanitize=fuzzer,address,undefined -pthread $^ -o $@ $(FUZZ_LIBS)
$(FUZZ_JSON:%=build/libfuzzer/fuzz_%): build/libfuzzer/tests/fuzz/json_mutator.o

FUZZ_LONG := $(FUZZ_TARGETS:%=fuzz-long-%)
.PHONY: $(FUZZ_LONG) $(FUZZ_TARGETS:%=fuzz-corpus-%)
fuzz-long: deps-fuzz ## Look for inputs that break a fuzz target (FUZZ_SECONDS each, FUZZ_TARGETS).
	@$(MAKE) --no-print-directory -j1 $(FUZZ_LONG) build/unit/test_hostile_segment
	@build/unit/test_hostile_segment $$(date +%s%N) $(FUZZ_MUTATIONS)
$(FUZZ_LONG): fuzz-long-%: build/libfuzzer/fuzz_%
	@mkdir -p build/fuzz-new/$* build/fuzz-found tests/fuzz/corpus/$*
	@echo 'fuzz $* for $(FUZZ_SECONDS) s; what breaks it is kept in build/fuzz-found'
	@ASAN_OPTIONS=quarantine_size_mb=16 $< -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
		-len_control=0 -timeout=10 -rss_limit_mb=1024 -use_value_profile=1 -print_final_stats=1 \
		-artifact_prefix=build/fuzz-found/$*- \
		build/fuzz-new/$* tests/fuzz/corpus/$* > build/fuzz-found/$*.log 2>&1 || \
		{ tail -n 60 build/fuzz-found/$*.log; exit 1; }
	@grep -E 'stat::number_of_executed_units|cov: ' build/fuzz-found/$*.log | tail -n 2

# Of what fuzz-long found, the fewest inputs that reach each part of the code.
fuzz-corpus: deps-fuzz ## Keep the inputs of fuzz-long that reach something new.
	@$(MAKE) --no-print-directory -j1 $(FUZZ_TARGETS:%=fuzz-corpus-%)
$(FUZZ_TARGETS:%=fuzz-corpus-%): fuzz-corpus-%: build/libfuzzer/fuzz_%
	@mkdir -p build/fuzz-new/$*
	@$< -set_cover_merge=1 -use_counters=0 tests/fuzz/corpus/$* build/fuzz-new/$* 2>&1 | tail -n 1
