# Elasticsearch, Redis and Jaeger for the tests and the benchmark, without a
# container engine. `deploy/services/with COMMAND` runs a command with the
# SCOPEGATE_TEST_* variables that say where they listen.
.PHONY: services
services: ## bring Elasticsearch, Redis and Jaeger up on free loopback ports
	@deploy/services/up

.PHONY: services-down
services-down: ## end what `make services` started
	@deploy/services/down
