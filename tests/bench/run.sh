#!/bin/sh
# run.sh [FOLDER]: builds, measures everything that the benchmark can (some sixty-five minutes), and
# leaves tables, results and plots in FOLDER (build/bench). What is to be measured beside the host
# is installed before, by .ci/install-packages bench, or is left out.
set -eu
cd "$(dirname "$(readlink -f "$0")")/../.."
folder=${1:-build/bench}

cmake --preset release > /dev/null
cmake --build --preset release --target berth echo proxy berth_bench
mkdir -p "$folder"

failed=0
# measure NAME OPTION...
measure() {
  name=$1
  shift
  echo "== $name"
  build/tests/bench/berth_bench --markdown --csv "$folder/$name.csv" "$@" \
    > "$folder/$name.md" || failed=1
  cat "$folder/$name.md"
  case $name in
    syscalls) ;; # of too few rounds to be drawn
    *) tests/bench/plot.py "$folder/$name.csv" > "$folder/$name.svg" || failed=1 ;;
  esac
}

measure models
measure workers --workers 2 --models epoll,io_uring \
  --work roundtrip:64,roundtrip:512,pipeline:64,churn:32
measure peers --peers all
measure proxies --proxies all
measure udp --transport udp
measure tls --transport tls
if command -v strace > /dev/null; then
  measure syscalls --strace --rounds 2 --work roundtrip:64,churn:32
fi
exit $failed
