# `make web`: the local endpoint's page, in a directory beside the plugin.

WEB_OWN := $(addprefix web/,index.html page.css icon.svg page.js api.js choice.js dom.js flame.js \
	gallery.js profile.js status.js tables.js viewer.js)
WEB_DIRECTORY := cloudprofiler-web
WEB_INSTALLED := build/web/node_modules/.package-lock.json

.PHONY: web deps-web
deps-web:
	@tools/install-packages web
web: deps-web ## Make the local endpoint's page, with its libraries from npm.
	@$(MAKE) --no-print-directory $(WEB_DIRECTORY)/index.html

# npm ci compares each package with the checksum in the lock. No package's own scripts are run.
$(WEB_INSTALLED): web/package.json web/package-lock.json
	@mkdir -p build/web
	@cp $^ build/web
	@echo 'install the libraries of the page (log: build/web/log)'
	@cd build/web && npm ci --ignore-scripts --no-audit --no-fund > log 2>&1 || \
		{ cat log; exit 1; }

# The flame graph tells its own nodes by their constructor's name, which has to survive.
build/web/vendor.js build/web/vendor.css &: web/libraries.js $(WEB_INSTALLED)
	@cp web/libraries.js build/web
	@build/web/node_modules/.bin/esbuild build/web/libraries.js --bundle --format=esm \
		--keep-names --minify-whitespace --legal-comments=none --log-level=warning \
		--outfile=build/web/vendor.js

# Of the page of --html. A script that stands in a page may not name its end.
build/web/report.js: $(addprefix web/,report.js choice.js dom.js flame.js gallery.js \
		profile.js tables.js viewer.js) \
		build/web/vendor.js
	@mkdir -p build/web/report
	@cp $^ build/web/report
	@build/web/node_modules/.bin/esbuild build/web/report/report.js --bundle --format=esm \
		--keep-names --minify-whitespace --legal-comments=none --log-level=warning --outfile=$@

$(WEB_DIRECTORY)/report.html: web/report.html web/index.html web/make_report.js web/page.css \
		build/web/report.js build/web/vendor.css
	@mkdir -p $(@D)
	@node web/make_report.js web/report.html web/index.html build/web/report.js \
		build/web/vendor.css web/page.css > $@

# Libraries that are handed on keep their licences.
build/web/vendor-licences.txt: $(WEB_INSTALLED)
	@cd build/web/node_modules && for each in $$(ls -d d3-* internmap pprof-format); do \
		printf '\n%s\n\n' "$$each" && cat "$$each/LICENSE"; done > ../vendor-licences.txt

# index.html comes last: where it stands, the rest does.
$(WEB_DIRECTORY)/index.html: $(WEB_OWN) build/web/vendor.js build/web/vendor.css \
		build/web/vendor-licences.txt $(WEB_DIRECTORY)/report.html
	@mkdir -p $(@D)
	@cp $(filter-out $(@D)/%,$^) $(@D)
	@touch $@
