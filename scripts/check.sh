#!/usr/bin/env bash
# The gate: everything that must hold before a change lands. `make check` and .ci/run both call this, and nothing else.
# It needs Go and nothing more: tools are built from tools/go.mod at pinned versions.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0

step() { printf '\n== %s\n' "$*"; }
tool() { go tool -modfile=tools/go.mod "$@"; }

step "format"
files=$(git ls-files '*.go')
bad=$(tool gofumpt -l $files)
[ -z "$bad" ] || { echo "not formatted by gofumpt:"; echo "$bad"; exit 1; }
bad=$(tool goimports -l $files)
[ -z "$bad" ] || { echo "imports not grouped by goimports:"; echo "$bad"; exit 1; }

step "modules are tidy"
for module in . tools; do # not bench: tidying it would download what the tests of its peers need
	(cd "$module" && go mod tidy -diff)
done

step "build, cgo off"
go build ./...
for target in linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do
	GOOS=${target%/*} GOARCH=${target#*/} go build ./...
done

step "vet and linters"
go vet ./...
GOOS=windows go vet ./internal/vfs ./cmd/engram
tool staticcheck ./...
diff=$(go fix -diff ./... 2>&1 || true)
[ -z "$diff" ] || { echo "go fix would change:"; echo "$diff"; exit 1; }

step "tests: the README's command"
go test ./...

step "faults: every step of every write path fails, in every way"
go vet -tags faults . ./internal/...
go test -tags faults -v \
	-run '^(TestFaultMatrix|TestEveryStepHasAPoint|TestEveryMechanismMatters|TestEverySyncIsNeeded|Test\w+Fails?Alone|TestLinearizableThroughPanics|TestWriterHearsOfASpareThatFailed)$' \
	. ./internal/store ./internal/wal ./internal/segment ./internal/vfs |
	grep -vE '^ +faults_test.go|^=== |^ +--- PASS'

if command -v gcc >/dev/null 2>&1; then
	step "tests with the race detector, where goroutines meet"
	CGO_ENABLED=1 go test -race -short . ./internal/isolate ./internal/wal ./internal/lexical ./internal/graph ./internal/store ./server/...
fi

step "benchmarks still build (they are a module of their own, with their peers)"
(cd bench && go vet ./...)

step "smoke test: the README's main command, as a new user runs it"
scripts/smoke.sh

echo
echo "all checks passed"
