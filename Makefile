# Everything a developer does. "make help" lists the targets.
.PHONY: help run app test coverage pictures document site install bench bench-readme check-newer check-cran vendor clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

run: install ## install into build/library and run the example
	@. tools/env.sh && Rscript inst/examples/main.R

app: install ## the example of background jobs in Shiny, at http://127.0.0.1:3838
	@tools/install-deps.sh app
	@. tools/env.sh && Rscript -e \
	  'shiny::runApp(system.file("examples/shiny-job", package = "taskq"), port = 3838, launch.browser = FALSE)'

test: ## all tests; the last line is their sum
	@tools/test.sh

install:
	@tools/install-deps.sh run
	@tools/install.sh

coverage: ## how much of the code the tests run, by crate and language (20 minutes)
	@tools/coverage.sh

document: ## regenerate the wrappers, man/ and NAMESPACE
	@tools/install-deps.sh test
	@tools/document.sh

site: install ## the documentation site in build/site
	@tools/install-deps.sh site
	@tools/site.sh

bench: install ## run the benchmarks (10 minutes); the table and two pictures are left in build/bench
	@. tools/env.sh && mkdir -p build/bench && Rscript bench/run.R $(BENCH) --json build/bench/results.json
	@Rscript bench/plot.R build/bench/results.json

bench-readme: bench ## the same, then the table and the pictures into README.md
	@Rscript bench/readme.R build/bench/results.json README.md

check-newer: ## build and test with newer versions of R (needs root)
	@tools/check-newer-r.sh

pictures: install ## screenshots of the example apps into man/figures
	@tools/install-deps.sh browser
	@tools/test/browser.sh pictures/shiny-job pictures/monitor

check-cran: vendor ## the release through R CMD check --as-cran, here and with newer versions of R (needs root)
	@unshare --net tools/test/as-cran.sh build/taskq_*.tar.gz
	@tools/check-newer-r.sh -c build/taskq_*.tar.gz

vendor: ## a release tarball that builds offline
	@tools/install-deps.sh cran
	@tools/vendor.sh

clean: ## remove what was built
	@rm -rf build src/rust/target src/Makevars src/.cargo src/vendor src/*.o src/*.so
