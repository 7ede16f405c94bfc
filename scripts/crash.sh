#!/usr/bin/env bash
# Kills a writing server again and again and compares what is left with what it had acknowledged: 16 clients over HTTP,
# SIGKILL at a random point, reopen, compare.
#
#   scripts/crash.sh [ROUNDS] [SEED]     200 rounds unless told otherwise; the seed of a run is printed
set -euo pipefail
cd "$(dirname "$0")/.."
export ENGRAM_CRASH_ROUNDS="${1:-200}"
export ENGRAM_CRASH_SEED="${2:-}"
exec go test -count=1 -timeout 60m -v -run '^TestKill9$' ./cmd/engram
