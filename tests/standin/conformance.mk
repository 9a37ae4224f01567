# `make conformance`: the official agents and the plugin before the stand-in for Google.

NODE_AGENT   := build/conformance/node/installed
PYTHON_AGENT := build/conformance/python/installed

# The agent's native part is compiled here, against the headers of the node that is installed.
$(NODE_AGENT): tests/standin/conformance/package.json
	@rm -rf $(@D) && mkdir -p $(@D) && cp $< $(@D)
	@echo 'install the official Node.js agent (log: $(@D)/log)'
	@cd $(@D) && { npm install --ignore-scripts --no-audit --no-fund --no-package-lock && \
		cd node_modules/pprof && ../.bin/node-pre-gyp rebuild --build-from-source \
		--nodedir="$$(dirname "$$(dirname "$$(command -v node)")")"; } > log 2>&1 || \
		{ tail -40 log; exit 1; }
	@touch $@

$(PYTHON_AGENT): tests/standin/conformance/requirements.txt
	@mkdir -p $(@D)
	@echo 'install the official Python agent'
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/pip install --quiet --use-pep517 --disable-pip-version-check -r $<
	@touch $@

.PHONY: conformance deps-conformance
deps-conformance:
	@tools/install-packages demo test conformance
conformance: deps-conformance ## Official agents and plugin before the stand-in, side by side.
	@$(MAKE) --no-print-directory build $(NODE_AGENT) $(PYTHON_AGENT)
	@$(ON_THIS_BUILD) PYTHONPATH=tests \
		$(PYTHON) -m standin.conformance.run $(dir $(NODE_AGENT))node_modules \
		$(dir $(PYTHON_AGENT))bin/python . build/conformance.txt docs/cloud-profiler-conformance.md
