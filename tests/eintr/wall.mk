# `make eintr` and `make wall-truth`: what wall profiles promise, at full length. The same tests
# run for a few seconds in `make test`.

EINTR_SECONDS      ?= 60
WALL_TRUTH_SECONDS ?= 30

.PHONY: eintr wall-truth
eintr: deps-test ## Look for interrupted sleeps, beside a plain timer's (EINTR_SECONDS).
	@$(MAKE) --no-print-directory build
	@$(ON_THIS_BUILD) $(PYTHON) tests/eintr/run.py $(EINTR_SECONDS)
wall-truth: deps-test ## Wall profiles of apps that keep their own books (WALL_TRUTH_SECONDS).
	@$(MAKE) --no-print-directory build
	@$(ON_THIS_BUILD) CPROF_WALL_SECONDS=$(WALL_TRUTH_SECONDS) \
		$(PYTHON) -m pytest -s -v tests/e2e/test_wall_truth.py tests/e2e/test_queue_truth.py \
		tests/e2e/test_gevent.py
