# The programs that run code one instruction at a time: plain builds, as users run them.

PYTHON_CONFIG ?= $(PYTHON)-config
STEP_PROGRAMS := $(patsubst tests/step/%.c,build/step/%,$(wildcard tests/step/step_*.c))
STEP_OBJECTS  := $(filter-out build/objects/gateway/main.o build/objects/plugin/cloudprofiler.o \
	build/objects/plugin/host/%,$(OBJECTS))

build/step/%: tests/step/%.c tests/step/single_step.c tests/step/single_step.h $(STEP_OBJECTS) \
		build/generated/profile.pb-c.c
	@mkdir -p $(@D)
	@echo 'link $@'
	@$(CC) $(COMMON_FLAGS) -Wall -Wextra -O2 -g $(filter %.c %.o,$^) -o $@ \
		-lprotobuf-c -lz $(shell $(PYTHON_CONFIG) --embed --ldflags)

.PHONY: step step-programs
step-programs: $(STEP_PROGRAMS)
step: $(STEP_PROGRAMS) ## Run the recorder and the death hook one instruction at a time.
	@for program in $(STEP_PROGRAMS); do echo $$program; $$program || exit 1; done
