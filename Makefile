.DEFAULT_GOAL := help
.PHONY: help demo softfactory test check audit bench fuzz docs newcomer lock clean

help: ## List the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 13

demo: ## Set everything up and open a live page (TOCSIN_PORT changes the port)
	@scripts/demo

softfactory: ## Set everything up and serve the guide's Flask application (TOCSIN_PORT changes the port)
	@scripts/softfactory

test: ## Run every test; ARGS="tests/unit -k seq" narrows it
	@scripts/test $(ARGS)

check: ## Linters, types, import rules, generated files
	@scripts/check

audit: ## Known vulnerabilities of the dependencies (needs the network)
	@scripts/audit

bench: ## Tocsin and its peers, one run; ARGS="--quick" for a minute's look
	@scripts/bench $(ARGS)

fuzz: ## Fuzz what reads bytes of strangers; ARGS="--minutes 10" for each target
	@scripts/fuzz $(ARGS)

docs: ## Build the documentation into build/docs
	@scripts/docs

newcomer: ## Follow the tutorial to the letter, in a fresh clone, with a watch
	@scripts/newcomer

lock: ## Pin the Python packages again (needs uv)
	@scripts/lock

clean: ## Remove what the commands above made
	@rm -rf .venv .cache build web/dist src/tocsin/static web/node_modules tests/browser/node_modules \
	  tests/acceptance/node/node_modules bench/peers/node/node_modules \
	  examples/softfactory/node_modules examples/softfactory/web/dist
