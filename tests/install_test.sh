#!/usr/bin/env bash
# Installs the library below the build folder and builds and runs a program against it, once found by pkg-config and once by
# CMake's find_package. Usage: install_test.sh BUILD_ROOT PROGRAM_FOLDER
set -euo pipefail
build=$1
program=$2
prefix=$(meson introspect "$build" --buildoptions |
  python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
case $prefix in
  "$build"/*) ;;
  *)
    echo "the prefix $prefix is not below the build folder: tests/run.sh sets one that is"
    exit 77
    ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work" "$prefix"' EXIT
rm -rf "$prefix"
meson install -C "$build" --no-rebuild --quiet

config=$(find "$prefix" -name genera.pc)
[ -n "$config" ] || { echo "genera.pc was not installed"; exit 1; }
export PKG_CONFIG_PATH=${config%/*}
libraries=$(pkg-config --variable=libdir genera)
[ "$(pkg-config --cflags genera | xargs)" = "-I$(pkg-config --variable=includedir genera)" ] || {
  echo "pkg-config --cflags says more than the include folder: $(pkg-config --cflags genera)"
  exit 1
}
read -ra flags <<<"$(pkg-config --cflags --libs genera)"
"${CXX:-c++}" -std=c++20 "$program/main.cpp" "${flags[@]}" -Wl,-rpath,"$libraries" -o "$work/by_pkg_config"
"$work/by_pkg_config"
echo "pkg-config: version $(pkg-config --modversion genera)"

cmake -S "$program" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/cmake" >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
"$work/cmake/external"
echo "find_package: built and ran"

# Only where the zoo's programs were built.
if [ -x "$prefix/bin/genera-vae" ]; then
  "$prefix/bin/genera-vae" --version
  "$prefix/bin/genera-doctor" --device cpu >"$work/doctor"
  if [ -e "$libraries/libgenera-vulkan.so" ]; then
    VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent "$prefix/bin/genera-doctor" >"$work/doctor"
    grep -q "mesa-vulkan-drivers" "$work/doctor"
  fi
fi
