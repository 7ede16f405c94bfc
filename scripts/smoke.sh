#!/usr/bin/env bash
# Runs the README's main command in an empty home, uses the server through curl-like calls of the CLI, kills it, and
# looks whether what was acknowledged is there.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
server=""
cleanup() { [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true; rm -rf "$dir"; }
trap cleanup EXIT

go build -o "$dir/engram" ./cmd/engram
export ENGRAM_DATA_DIR="$dir/data"
"$dir/engram" serve --addr 127.0.0.1:0 >"$dir/out" 2>"$dir/err" &
server=$!
for _ in $(seq 100); do
	[ -s "$dir/data/server.json" ] && break
	sleep 0.1
done
[ -s "$dir/data/server.json" ] || { echo "the server did not start:"; cat "$dir/out" "$dir/err"; exit 1; }

"$dir/engram" remember --id smoke "The spare key hangs behind the boiler." 2>/dev/null
"$dir/engram" recall "where is the key" 2>/dev/null | grep -q "behind the boiler"
kill -9 "$server"
wait "$server" 2>/dev/null || true
server=""
"$dir/engram" recall "where is the key" 2>/dev/null | grep -q "behind the boiler" || { echo "lost after kill -9"; exit 1; }
"$dir/engram" verify
"$dir/engram" demo >"$dir/demo" || { cat "$dir/demo"; exit 1; }
echo "smoke test passed"
