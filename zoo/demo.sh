#!/bin/sh
# From a fresh Debian 12 to a trained variational autoencoder and its pictures: installs what is missing (as root or with
# sudo), builds genera-vae, trains it on Fashion-MNIST, and shows what it learned. Run again, it does only what is left.
#
# Usage: ./zoo/demo.sh [TIME]      TIME: how long to train, 2m unless given (90s, 5m, ...)
set -eu
cd "$(dirname "$0")/.."
usage() {
  echo "usage: ./zoo/demo.sh [TIME]      how long to train: 90s, 5m, 1h30m; 2m unless given"
}
case ${1:-} in -h | --help)
  usage
  exit 0
  ;;
esac
time=${1-2m}
# TIME becomes part of a path: digits, a point and units only.
case $time in '' | [!0-9]* | *[!0-9.hms]*) set -- too many ;; esac
if [ $# -gt 1 ]; then
  usage >&2
  exit 2
fi
build="build-demo"
# What other configurations of the shell may have set is not meant for this run.
for name in $(env | grep -o '^GENERA_[A-Z_]*' || true); do
  [ "$name" = GENERA_DATA ] || unset "$name"
done

tools='g++ meson ninja-build pkg-config cmake libhwy-dev libopenblas-pthread-dev libfmt-dev nlohmann-json3-dev
  libxxhash-dev zlib1g-dev libspng-dev libcli11-dev libprotozero-dev libpcre2-dev'
images=dataset-fashion-mnist

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
missing() {
  for package in "$@"; do installed "$package" || printf '%s ' "$package"; done
}
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}
# Installs packages; fails without a word where that is not possible.
install_packages() {
  command -v apt-get >/dev/null || return 1
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || return 1
  as_root apt-get update -q >/dev/null || true # old lists may do
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null
}

# shellcheck disable=SC2086 # the lists are words
needed=$(missing $tools)
if [ -n "$needed" ]; then
  echo "Installing: $needed"
  # shellcheck disable=SC2086
  install_packages $needed || {
    echo "These Debian packages are needed and could not be installed: $needed" >&2
    exit 1
  }
fi
data=fashion-mnist
if ! installed $images && [ ! -d /usr/share/datasets/fashion-mnist ] &&
  [ ! -d "${GENERA_DATA:-/nonexistent}/fashion-mnist" ]; then
  echo "Installing: $images"
  if ! install_packages $images; then
    echo "It could not be installed: the demo goes on with generated images (sprites)."
    data=sprites
  fi
fi

if [ ! -f $build/build.ninja ]; then
  echo "Configuring in $build"
  meson setup $build --buildtype=release -Dtests=false -Dbenchmarks=disabled >$build.log 2>&1 || {
    cat $build.log >&2
    exit 1
  }
  mv $build.log $build/setup.log
fi
[ -x $build/zoo/vae/genera-vae ] || echo "Building genera-vae: this once it takes a few minutes"
# Ninja's own lines into the log; of them a terminal shows the counter.
shown=/dev/null
[ ! -t 1 ] || shown=/dev/stdout
{
  ninja -C $build zoo/vae/genera-vae 2>&1 || echo "FAILED: ninja"
} | tee $build/build.log | while IFS= read -r line; do
  counter=${line%%]*}
  case $line in '['*'/'*) printf '\r  %s] ' "$counter" >$shown ;; esac
done
printf '\r\033[K' >$shown
if tail -n 1 $build/build.log | grep -qx 'FAILED: ninja'; then
  tail -n 40 $build/build.log >&2
  exit 1
fi

vae=$build/zoo/vae/genera-vae
run=runs/demo-$data-$time
if [ -f "$run/summary.json" ]; then
  echo "$run is trained already (remove that folder to train again)"
elif [ -f "$run/checkpoints/last.safetensors" ]; then
  echo "Going on with $run"
  $vae train --resume "$run" >/dev/null
else
  rm -rf "$run"
  echo "Training on $data for $time"
  $vae train --model mlp --data $data --time "$time" --out "$run" >/dev/null
fi
echo
echo "Test set, nats per image (lower is better for negative_elbo):"
$vae eval "$run" --quiet
$vae sample "$run" --quiet >/dev/null
$vae reconstruct "$run" --quiet >/dev/null
$vae interpolate "$run" --quiet >/dev/null
echo
echo "What it learned:"
echo "  samples          $run/samples.png"
echo "  reconstructions  $run/reconstructions.png   (rows of originals, each above its reconstructions)"
echo "  interpolation    $run/interpolation.png     (each row walks from one test image to another)"
echo "  loss curve       $run/loss.svg"
echo "  all on one page  $run/report.html"
echo
echo "Go on with $vae --help and docs/quick-start.md."
