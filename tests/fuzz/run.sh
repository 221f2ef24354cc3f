#!/bin/bash
# tests/fuzz/run.sh [BUDGET [TARGET...]]: builds the fuzz targets and fuzzes all of them, or those
# named, each with an equal share of BUDGET: seconds in all (60s, as is done without one), or inputs
# in all (100000000). A table tells what came of it; the status is 1 where there was a finding, and
# its input's path is told.
#
# Two targets run at a time; JOBS=N for another number. What the fuzzers learn is kept in
# build-fuzz/corpus/ for the next run; findings are kept in build-fuzz/findings/.
set -u
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1

usage() {
  sed -n '2,/^set -u/ { /^#/ s/^# \{0,1\}//p }' "$0" >&2
  exit 64
}

budget=${1:-60s}
[[ $budget =~ ^[1-9][0-9]*s?$ ]] || usage
shift
targets=("$@")
if ((${#targets[@]} == 0)); then
  for seeds in tests/fuzz/seeds/*/; do targets+=("$(basename "$seeds")"); done
fi
for target in "${targets[@]}"; do
  [[ -d tests/fuzz/seeds/$target ]] || { echo "no target '$target' with seeds" >&2; usage; }
done

folder=build-fuzz
jobs=${JOBS:-2}
export ASAN_OPTIONS=allow_addr2line=1:${ASAN_OPTIONS:-}

share() { echo $(($1 > ${#targets[@]} ? $1 / ${#targets[@]} : 1)); }
# The fuzzer ends by itself after its share; timeout(1) is for the case that it does not.
if [[ $budget == *s ]]; then
  seconds=$(share $((${budget%s} * jobs)))
  limits=("-max_total_time=$seconds")
  bound=(timeout -k 10 $((seconds + 60)))
else
  limits=("-runs=$(share "$budget")")
  bound=()
fi

# Fuzzes one target; its output goes to a file beside its corpus.
fuzz() {
  local target=$1 known=()
  mkdir -p "$folder/corpus/$target" "$folder/findings"
  [[ -f tests/fuzz/dictionaries/$target.dict ]] &&
    known=("-dict=tests/fuzz/dictionaries/$target.dict")
  "${bound[@]}" "$folder/tests/fuzz/fuzz_$target" "${limits[@]}" "${known[@]}" -timeout=5 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$folder/findings/$target-" \
    "$folder/corpus/$target" "tests/fuzz/seeds/$target" > "$folder/$target.log" 2>&1
  echo $? > "$folder/$target.status"
}

# The last of the numbers behind a word in a target's output.
last() { grep -oE "$2 *[0-9]+" "$folder/$1.log" | tail -n 1 | grep -oE '[0-9]+$' || echo 0; }

cmake --preset fuzz -DBERTH_TESTS=ON > /dev/null && cmake --build --preset fuzz || exit 1

for target in "${targets[@]}"; do
  while (($(jobs -rp | wc -l) >= jobs)); do wait -n; done
  echo "fuzzing $target"
  fuzz "$target" &
done
wait

echo
format='%-16s %14s %12s %10s %8s  %s\n'
# shellcheck disable=SC2059 # The format is the one above.
printf "$format" target inputs per_second branches corpus finding
findings=0
total=0
for target in "${targets[@]}"; do
  inputs=$(last "$target" 'stat::number_of_executed_units:')
  finding=-
  if [[ $(cat "$folder/$target.status") != 0 ]]; then
    finding=$(sed -n 's/.*Test unit written to //p' "$folder/$target.log" | tail -n 1)
    finding=${finding:-"none kept: see $folder/$target.log"}
    findings=$((findings + 1))
  fi
  total=$((total + inputs))
  # shellcheck disable=SC2059
  printf "$format" "$target" "$inputs" \
    "$(last "$target" 'stat::average_exec_per_sec:')" "$(last "$target" 'cov:')" \
    "$(last "$target" 'corp:')" "$finding"
done
for target in "${targets[@]}"; do
  [[ $(cat "$folder/$target.status") == 0 ]] && continue
  echo
  echo "== $target"
  grep -vE '^(#|INFO|DEDUP|stat::)' "$folder/$target.log" | tail -n 60
done
echo
echo "$total inputs, $findings findings"
((findings == 0))
