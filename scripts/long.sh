#!/usr/bin/env bash
# The long form of what the gate does in short: the whole fault matrix, power cuts after every file operation of one random
# history after another, bit flips, lost pages, and kill -9 under load. It prints rounds, faults and losses, and fails if
# there is a loss.
#
#   scripts/long.sh [MINUTES] [KILLS] [SEED]
#
# MINUTES (60) are for power cuts, and for flips and lost pages, two thirds and one third; what is under way then is ended.
# KILLS (1000) are the rounds of kill -9, about a second each; the matrix takes some minutes. SEED begins all of it: the
# same gives the same.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes="${1:-60}" kills="${2:-1000}" seed="${3:-$((RANDOM * 32768 + RANDOM + 1))}"
for n in "$minutes" "$kills" "$seed"; do
	[[ "$n" =~ ^[0-9]+$ ]] || { echo "usage: scripts/long.sh [MINUTES] [KILLS] [SEED]: $n is no number" >&2; exit 2; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
lost=0

# run NAME PATTERN COMMAND...: one round. The numbers of faults are what PATTERN captures in what it prints.
run() {
	local name=$1 pattern=$2 out="$dir/out"
	shift 2
	rounds[$name]=$((${rounds[$name]:-0} + 1))
	if ! "$@" >"$out" 2>&1; then
		losses[$name]=$((${losses[$name]:-0} + 1)) lost=1
		echo "LOSS in $name, seed $seed: $*"
		tail -n 40 "$out"
	fi
	local found
	found=$(sed -nE "s/$pattern/\1/p" "$out" | awk '{n += $1} END {print n + 0}')
	faults[$name]=$((${faults[$name]:-0} + found))
}
declare -A rounds=() faults=() losses=()

# left SECONDS: whether that much time since begin is not over.
begun=0
begin() { begun=$SECONDS; }
left() { [ $((SECONDS - begun)) -lt "$1" ]; }

echo "long form: seed $seed, $minutes minutes, $kills kills"
go test -c -o "$dir/store" ./internal/store
go test -c -tags faults -o "$dir/store.faults" ./internal/store
go test -c -o "$dir/engram" .
go test -c -o "$dir/wal" ./internal/wal
go test -c -o "$dir/cmd" ./cmd/engram

cd internal/store
if [ "$minutes" -gt 0 ]; then
	run matrix '^ +([0-9]+) faults .*' "$dir/store.faults" -test.timeout 60m -test.run '^TestFaultMatrix$'
	begin
	for ((at = seed; ; at++)); do
		left $((minutes * 40)) || break
		run cuts '.*: ([0-9]+) crashes$' env ENGRAM_CRASH_SEEDS=1 ENGRAM_CRASH_FROM="$at" "$dir/store" -test.v -test.timeout 30m \
			-test.run '^(TestCrashAfterEveryOperation|TestWritesBesideSealings)$'
	done
	cd ../..
	begin
	for ((at = seed; ; at++)); do
		left $((minutes * 20)) || break
		run flips '.*, ([0-9]+) flips:$' env ENGRAM_FLIPS=500 ENGRAM_FLIP_SEED="$at" "$dir/engram" -test.v -test.timeout 30m \
			-test.run '^TestAnyFlip$'
		run pages '.*, ([0-9]+) of [0-9]+ pages:$' env ENGRAM_PAGES=300 ENGRAM_PAGE_SEED="$at" "$dir/engram" -test.v \
			-test.timeout 30m -test.run '^TestAnyPage$'
		run pages '.*, ([0-9]+) pages damaged$' env ENGRAM_LOG_PAGES=0 ENGRAM_FLIP_SEED="$at" "$dir/engram" -test.v \
			-test.timeout 30m -test.run '^TestAnyLogPage$'
		run pages '.*, ([0-9]+) pages damaged$' env ENGRAM_FLIP_SEED="$at" "$dir/wal" -test.v -test.timeout 30m \
			-test.run '^TestLostPages$'
	done
	cd internal/store
fi
cd ../../cmd/engram
if [ "$kills" -gt 0 ]; then
	run kills '.*crash_test.go.* ([0-9]+) rounds, nothing .*' env ENGRAM_CRASH_ROUNDS="$kills" ENGRAM_CRASH_SEED="$seed" \
		"$dir/cmd" -test.v -test.timeout 24h -test.run '^TestKill9$'
	rounds[kills]=$kills
fi

printf '\n%-46s%10s%12s%8s\n' "seed $seed" rounds faults losses
for name in matrix cuts flips pages kills; do
	case $name in
	matrix) what="every step of every write path, in every way" ;;
	cuts) what="power cuts after every file operation" ;;
	flips) what="bit flips anywhere in a space" ;;
	pages) what="pages and files lost in each way" ;;
	kills) what="kill -9 under 16 clients" ;;
	esac
	printf '%-46s%10d%12d%8d\n' "$what" "${rounds[$name]:-0}" "${faults[$name]:-0}" "${losses[$name]:-0}"
done
exit $lost
