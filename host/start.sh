#!/bin/sh
# host/start.sh [CONFIG] [OPTION...]: from a fresh checkout to a running server. Installs what is
# missing, builds the host and its handlers into build/, and runs CONFIG (conf/berth.yaml if none is
# given) until told to stop, with the options of `berth run`. Works from any folder.
set -eu
root=$(dirname "$(dirname "$(readlink -f "$0")")")

"$root/.ci/install-packages" host
# Without the tests, which tests/run.sh turns on in the same folder: what both need is built once.
# What CMake has to tell concerns nobody unless it fails.
log=$(cd "$root" && cmake --preset release -DBERTH_TESTS=OFF 2>&1) || {
  echo "$log" >&2
  exit 1
}
cmake --build "$root/build" >&2

case ${1-} in
  '' | -*) set -- "$root/conf/berth.yaml" "$@" ;;
esac
exec "$root/build/host/berth" run "$@"
