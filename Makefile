.PHONY: check test fmt bench crash
# The gate; .ci/run runs the same.
check:
	scripts/check.sh
test:
	go test ./...
fmt:
	go tool -modfile=tools/go.mod gofumpt -w $$(git ls-files '*.go')
# 200 rounds of kill -9 under load.
crash:
	scripts/crash.sh
