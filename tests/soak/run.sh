#!/bin/sh
# tests/soak/run.sh [--test-case=WORDS]: builds, and runs what takes long: 100,000 connections to a
# handler that crashes on every 1,000th, a million connections in search of leaks, a million more
# while config, handler and binary are replaced 100 times each under every model, slow clients by
# the thousand. Some twelve minutes; ends with a table of what was injected and what was lost.
set -eu
cd "$(dirname "$(readlink -f "$0")")/../.."

.ci/install-packages host tests
cmake --preset release -DBERTH_TESTS=ON > /dev/null
cmake --build --preset release --target berth_soak
ulimit -n "$(ulimit -Hn)"
exec build/tests/soak/berth_soak --full "$@"
