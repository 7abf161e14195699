.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

sqlc := CGO_ENABLED=0 tools/patiently.sh go tool -modfile=tools/go.mod sqlc
lint := CGO_ENABLED=0 tools/patiently.sh go tool -modfile=tools/lint/go.mod golangci-lint
# One PostgreSQL for all packages of a test run.
withpg := go run ./internal/pgserver/withpg --

# The tests for which it makes no difference whether session has partitions.
partitioned := TestSessions$$|EachMethod|RoundTrips|Scopes|HostileText|TestOnce$$|Relation|Guards$$|Plans/(crowd|usual)$$|Tokens|DeletesTell|Middleware

# The tests that have a full size.
hard := Race|Guard|Schedule|Random|Canary|Hostile|Mutated

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z/ ]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ line = sprintf("  %-16s", $$1); n = split($$2, word, " "); \
		for (i = 1; i <= n; i++) { if (length(line " " word[i]) > 80) { print line; line = sprintf("%18s", "") } line = line " " word[i] } \
		print line }'

.PHONY: demo
demo: ## Show the main job on a PostgreSQL of its own (keep=1 leaves it up)
	@go run ./internal/demo $(if $(keep),-keep)

.PHONY: demo/stop
demo/stop: ## Stop what make demo keep=1 has left up
	@go run ./internal/demo -stop

.PHONY: example
example: ## Show a Better Auth server and a Go service on the same rows (needs npm)
	@$(withpg) examples/run.sh

.PHONY: test
test: ## Run the tests
	@$(withpg) go test -timeout 30m ./...

.PHONY: test/examples
test/examples: ## Run the examples that are modules of their own: tracing, and a sqlc project beside authdb
	@$(withpg) sh -c 'for e in tracing sqlc; do go -C examples/$$e test ./... || exit 1; done'

.PHONY: test/bench
test/bench: bench/ent/client.go ## Check that all that bench sets beside each other does the same (with Drizzle where npm is)
	@$(withpg) go -C bench test -count=1 .

.PHONY: test/hard
test/hard: ## Run the races, the guards and the random inputs at full size, and print their figures
	@AUTHDB_HARD=1 $(withpg) go test -count=1 -timeout 60m -v -run '$(hard)' ./test/rules ./test/races ./test/inputs ./test/plans ./test/answers ./apikey ./betterauth/... ./signin ./internal/repo
	@AUTHDB_HARD=1 $(withpg) go test -count=1 -timeout 60m -v ./migrate

.PHONY: test/faults
test/faults: ## Cut connections, crash servers, fail over and so on under every write, and print the figures (docs/faults.md; size=full: an hour)
	@AUTHDB_FAULTS=$(or $(size),usual) $(withpg) go test -count=1 -timeout 120m -v ./test/faults

.PHONY: test/standby
test/standby: ## Read from a real standby: what was just written, while it replays, pauses and is promoted (under a minute)
	@go test -count=1 -v -run Standby ./test/methods ./test/answers ./betterauth ./test/standby

.PHONY: test/partitions
test/partitions: ## Run what reads and writes sessions on a session table in 8 partitions: methods, guards, plans
	@AUTHDB_SESSION_PARTITIONS=8 $(withpg) go test -count=1 -timeout 30m -run '$(partitioned)' . ./betterauth ./test/methods ./test/inputs ./test/answers ./test/relations ./test/rules ./test/plans

.PHONY: test/plans
test/plans: ## Explain each statement on 2 million users and 4 million sessions (10 minutes, 8 GB of disk)
	@AUTHDB_HARD=1 $(withpg) go test -count=1 -timeout 60m -v -run '^TestPlans$$' ./test/plans

.PHONY: test/matrix
test/matrix: ## Store the same on each PostgreSQL, as each kind of user, under hostile settings (servers="local download-14")
	@servers="$(servers)" test/matrix/run.sh

.PHONY: test/race
test/race: ## Run the tests under the race detector (needs a C compiler)
	@$(withpg) go test -race ./...

.PHONY: test/cover
test/cover: ## Run the tests and show the coverage of the root package and internal/repo
	@$(withpg) go test -coverpkg=.,./internal/repo -coverprofile=cover.out . ./internal/repo ./authdbtest $(patsubst %,./test/%,answers inputs methods races relations rows rules security)
	@go tool cover -func=cover.out | tail -n 1

.PHONY: test/drizzle
test/drizzle: ## Prove what drizzle-kit finds to change, and that adopt takes its databases over (needs npm and psql)
	@$(withpg) test/drizzle/run.sh
	@$(withpg) test/drizzle/adopt.sh

.PHONY: test/adoption
test/adoption: ## Adopt what Better Auth's generators of 1.0 to 1.7 make, and run test/betterauth on it (needs Node 20 and npm; size=full: each version)
	@AUTHDB_ADOPTION=$(size) $(withpg) test/adoption/run.sh

.PHONY: test/betterauth
test/betterauth: ## Run beside a real Better Auth server, in five versions (needs Node 20 and npm)
	@$(withpg) test/betterauth/run.sh

.PHONY: test/consumer
test/consumer: ## Prove that a module of its own can import authdb, and what that costs it
	@test/consumer/run.sh

.PHONY: test/download
test/download: ## Test the PostgreSQL that is downloaded where none is installed
	@AUTHDB_POSTGRES=download go test -count=1 ./authdbtest
	@go test -count=1 -tags download ./internal/pgserver

.PHONY: bench
bench: bench/ent/client.go ## Set authdb beside pgx, sqlc, GORM, ent, bun and Drizzle, and write docs/benchmarks.md (25 minutes)
	@go -C bench run . -docs ../docs $(if $(sessions),-sessions $(sessions))

.PHONY: bench/quick bench/crowd
bench/quick: bench/ent/client.go ## The same in two minutes, to the terminal
	@go -C bench run . -quick

bench/crowd: bench/ent/client.go ## Measure many callers at once, and the first calls of a connection (a minute)
	@go -C bench run . -crowd

bench/ent/client.go: bench/ent/schema/schema.go bench/go.mod
	@go -C bench generate .

.PHONY: generate
generate: ## Compile db/queries into internal/dbgen and internal/admindb, and the queries of examples/sqlc and bench/sqlc
	@rm -f internal/dbgen/*.go internal/admindb/*.go examples/sqlc/billing/*.go bench/sqlc/queries/*.go
	@$(sqlc) generate
	@$(sqlc) -f examples/sqlc/sqlc.yaml generate
	@$(sqlc) -f bench/sqlc/sqlc.yaml generate

.PHONY: docs
docs: ## Write what docs and README.md take from the code and the catalog: tables, figures, pictures
	@UPDATE_DOCS=1 $(withpg) go test -count=1 -run '^Test(EachMethod|StandbyMethods$$)' ./test/methods
	@UPDATE_DOCS=1 $(withpg) go test -count=1 -run '^Test(Overview|SchemaDiagram|Figures|PluginCosts)$$' ./test/docs

.PHONY: verify
verify: ## Check that generated code, go.mod files and formatting are fresh
	@test/verify.sh

.PHONY: lint
lint: ## Run golangci-lint
	@$(lint) run ./...

.PHONY: vuln
vuln: ## Look for known vulnerabilities (needs vuln.go.dev)
	@test/vuln.sh

.PHONY: migrate/up
migrate/up: ## Apply the migrations to DATABASE_URL
	@go run ./cmd/migrate up

.PHONY: migrate/down
migrate/down: ## Undo the newest migration of DATABASE_URL (yes=1: really)
	@go run ./cmd/migrate down 1 $(if $(and $(filter command,$(origin yes)),$(filter 1,$(yes))),--yes)
