#!/bin/sh
# Runs every fuzz target for some seconds, from sound seeds and from what was found before.
# Usage: run_fuzzers.sh BUILD_FOLDER SECONDS
# What a target finds is left in BUILD_FOLDER/fuzz/findings; mended, it goes to tests/fuzz/found/<target>/.
set -eu
build=$1
seconds=$2
found=$(dirname "$0")/found
work=$build/fuzz
mkdir -p "$work/findings"
"$build/bin/make_seeds" "$work/seeds"
status=0
for target in "$build"/bin/fuzz_*; do
  name=$(basename "$target")
  corpus=$work/corpus/$name
  mkdir -p "$corpus" "$work/seeds/$name"
  old=$found/$name
  [ -d "$old" ] || old=
  # The longest text the targets have to read takes a second under the sanitizers.
  if "$target" -max_total_time="$seconds" -len_control=0 -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$work/findings/$name-" "$corpus" "$work/seeds/$name" ${old:+"$old"} 2>"$work/$name.log"; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log") tries, nothing found"
  else
    status=1
    echo "$name: FOUND SOMETHING, see $work/$name.log" >&2
    grep -E "ERROR|SUMMARY|runtime error|Test unit written" "$work/$name.log" >&2 || tail -5 "$work/$name.log" >&2
  fi
done
exit $status
