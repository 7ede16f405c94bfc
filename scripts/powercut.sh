#!/usr/bin/env bash
# Cuts the power of a real file system (ext4 on a loop device) under a writing server again and again, and compares what
# is left with what had been acknowledged. Needs root and mkfs.ext4.
#
#   scripts/powercut.sh [ROUNDS] [SEED]     50 rounds unless told otherwise; the seed of a run is printed
set -euo pipefail
cd "$(dirname "$0")/.."
export ENGRAM_POWERCUT_ROUNDS="${1:-50}"
export ENGRAM_CRASH_SEED="${2:-}"
exec go test -count=1 -timeout 60m -v -run '^TestPowerCut$' ./cmd/engram
