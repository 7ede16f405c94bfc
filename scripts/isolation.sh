#!/usr/bin/env bash
# Lets every step of every write path fail, in every way, and looks at what is left: the long form of what the gate runs.
#
#   scripts/isolation.sh [HITS]     makes each of the first HITS hits of every point fail; 30 unless told otherwise
set -euo pipefail
cd "$(dirname "$0")/.."
export ENGRAM_FAULT_HITS="${1:-30}"
exec go test -tags faults -count=1 -timeout 60m -run '^(TestFaultMatrix|TestEveryStepHasAPoint|TestEverySyncIsNeeded|Test\w+Fails?Alone|TestLinearizableThroughPanics)$' -v . ./internal/store
