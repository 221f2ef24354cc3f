#!/bin/sh
# tests/run.sh [CTEST-OPTION...]: installs what is missing, builds everything into build/ and runs
# all tests, or those that the options choose. Ends with the count of ctest and its status.
set -eu
root=$(dirname "$(dirname "$(readlink -f "$0")")")

"$root/.ci/install-packages" host tests
cd "$root"
cmake --preset release -DBERTH_TESTS=ON
cmake --build build

echo
echo "One test alone: tests/run.sh -R 'WORDS OF ITS NAME'    their names: ctest --test-dir build -N"
# Most of them wait most of the time.
exec ctest --test-dir build --output-on-failure --no-tests=error --timeout 120 \
  -j $((4 * $(nproc))) "$@"
