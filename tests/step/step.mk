# The programs that run code one instruction at a time: plain builds, as users run them.
#
# One tree holds the programs of many interpreters: all that is built for one lies in a
# directory that bears its version, and build/step leads to the one that was built last.

ifneq ($(filter step step-programs,$(MAKECMDGOALS)),)
STEP_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3] + sys.abiflags)')
endif
STEP_DIR := build/step-$(STEP_VERSION)

# What the interpreter that PYTHON is needs of compiler and linker, wherever its library lies.
define STEP_FLAGS_PROGRAM
import sysconfig as s
library = s.get_config_var("LIBDIR")
print("-isystem " + s.get_path("include"))
print("-L%s -lpython%s -Wl,-rpath,%s" % (library, s.get_config_var("LDVERSION"), library))
endef
export STEP_FLAGS_PROGRAM

STEP_PROGRAMS := $(patsubst tests/step/%.c,$(STEP_DIR)/%,$(wildcard tests/step/step_*.c))
STEP_SOURCES  := $(filter-out gateway/main.c plugin/cloudprofiler.c plugin/host/%,$(SOURCES)) \
	tests/step/single_step.c
STEP_OBJECTS  := $(STEP_SOURCES:%.c=$(STEP_DIR)/objects/%.o)
STEP_MAINS    := $(STEP_PROGRAMS:$(STEP_DIR)/%=$(STEP_DIR)/objects/tests/step/%.o)
STEP_COMPILE   = $(CC) -std=gnu11 -D_GNU_SOURCE -pthread -fvisibility=hidden \
	-isystem build/generated $$(sed -n 1p $(STEP_DIR)/python-flags) -Wall -Wextra -O2 -g -fPIC

# Changes when another interpreter of the same version is asked for, and only then.
$(STEP_DIR)/python-flags: FORCE
	@mkdir -p $(@D)
	@$(PYTHON) -c "$$STEP_FLAGS_PROGRAM" > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(STEP_OBJECTS) $(STEP_MAINS): $(STEP_DIR)/objects/%.o: %.c $(STEP_DIR)/python-flags \
		build/generated/profile.pb-c.h
	@mkdir -p $(@D)
	@echo 'compile $< for CPython $(STEP_VERSION)'
	@$(STEP_COMPILE) -MMD -MP -c $< -o $@

$(STEP_PROGRAMS): $(STEP_DIR)/%: $(STEP_DIR)/objects/tests/step/%.o $(STEP_OBJECTS) \
		build/generated/profile.pb-c.c
	@echo 'link $@'
	@$(STEP_COMPILE) $^ -o $@ $(GATEWAY_LIBRARIES) $$(sed -n 2p $(STEP_DIR)/python-flags)

.PHONY: step step-programs
step-programs: $(STEP_PROGRAMS)
	@rm -rf build/step
	@ln -s $(notdir $(STEP_DIR)) build/step
step: step-programs ## Run walker, thread states, recorder and tags an instruction at a time, all rounds.
	@build/step/step_walker tests/step/workload.py all
	@build/step/step_c_threads all
	@build/step/step_recorder all
	@build/step/step_tags all
