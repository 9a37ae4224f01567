# The programs that run code one instruction at a time: plain builds, as users run them.

# The library of the interpreter that PYTHON is, wherever it lies.
python_library = $(shell $(PYTHON) -c 'import sysconfig as s; \
	print("-L%s -lpython%s -Wl,-rpath,%s" % (s.get_config_var("LIBDIR"), \
	s.get_config_var("LDVERSION"), s.get_config_var("LIBDIR")))')
STEP_PROGRAMS := $(patsubst tests/step/%.c,build/step/%,$(wildcard tests/step/step_*.c))
STEP_OBJECTS  := $(filter-out build/objects/gateway/main.o build/objects/plugin/cloudprofiler.o \
	build/objects/plugin/host/%,$(OBJECTS))

build/step/%: tests/step/%.c tests/step/single_step.c tests/step/single_step.h $(STEP_OBJECTS) \
		build/generated/profile.pb-c.c
	@mkdir -p $(@D)
	@echo 'link $@'
	@$(CC) $(COMMON_FLAGS) -Wall -Wextra -O2 -g $(filter %.c %.o,$^) -o $@ \
		-lprotobuf-c -lz $(python_library)

.PHONY: step step-programs
step-programs: $(STEP_PROGRAMS)
step: $(STEP_PROGRAMS) ## Run walker, recorder and death hook one instruction at a time.
	@build/step/step_walker tests/step/workload.py
	@build/step/step_recorder
