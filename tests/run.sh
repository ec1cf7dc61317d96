#!/usr/bin/env bash
# Builds and runs every test; the last line is "N passed, M failed".
# Usage: tests/run.sh [--quick | --full]
#   --quick  the inner loop: only the programs that take seconds
#   --full   also what is too long for every change (more random graphs, more flipped gradient rules)
# Builds in build-tests/ (or $GENERA_BUILD), only what has changed. Needs Debian 12 or later; installs the packages that are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${GENERA_BUILD:-build-tests}
mode=${1:-}
case $mode in '' | --quick | --full) ;; *)
  echo "usage: tests/run.sh [--quick | --full]" >&2
  exit 2
  ;;
esac

install_missing() {
  local packages=(g++ meson ninja-build pkg-config cmake libhwy-dev libopenblas-pthread-dev libfmt-dev
    nlohmann-json3-dev libxxhash-dev zlib1g-dev libspng-dev libcli11-dev libprotozero-dev libpcre2-dev doctest-dev librapidcheck-dev
    libbenchmark-dev dataset-fashion-mnist bible-kjv strace
    libvulkan-dev libvulkan-volk-dev glslang-dev spirv-tools mesa-vulkan-drivers vulkan-validationlayers)
  local missing=() package
  command -v dpkg-query >/dev/null || return 0  # not Debian: Meson says what is missing
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "tests/run.sh: missing packages, and neither root nor sudo to install them: ${missing[*]}" >&2
      return 1
    }
    root=(sudo)
  fi
  echo "Installing: ${missing[*]}"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >/dev/null
}

# The installation that tests/install_test.sh makes goes below the build folder.
configure() {
  local prefix
  prefix=$(mkdir -p "$build" && cd "$build" && pwd)/installed
  if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" --prefix "$prefix" >"$build/configure.log" || {
      cat "$build/configure.log"
      return 1
    }
  elif ! meson introspect "$build" --buildoptions | grep -qF "\"$prefix\""; then
    meson configure "$build" --prefix "$prefix"
  fi
}

# Counts doctest's cases and, for every other test, its exit status; a program that left no result has failed.
count() {
  python3 - "$build" "$mode" <<'PYTHON'
import json, pathlib, re, subprocess, sys
build, mode = pathlib.Path(sys.argv[1]), sys.argv[2]
tests = json.loads(subprocess.check_output(["meson", "introspect", "--tests", str(build)]))
wanted = {t["name"] for t in tests if mode != "--quick" or any(s.endswith("quick") for s in t["suite"])}
log = build / "meson-logs" / "testlog.json"
passed = failed = 0
for line in log.read_text().splitlines() if log.exists() else []:
    result = json.loads(line)
    name = result["name"].split(" / ")[-1].split(":")[-1].strip()
    wanted.discard(name)
    text = result.get("stdout") or ""
    cases = re.findall(r"test cases:\s*(\d+) \|\s*(\d+) passed \|\s*(\d+) failed", text)
    good, bad = sum(int(c[1]) for c in cases), sum(int(c[2]) for c in cases)
    if result["result"] in ("OK", "EXPECTEDFAIL"):
        good = good if cases else 1
        if cases and good + bad == 0:
            print(f"{name}: ran no test case")
            bad = 1
    elif result["result"] == "SKIP":
        print(f"{name}: skipped: {text.strip()}")
        good = 0
    else:
        print(f"--- {name}: {result['result']}")
        print("\n".join(text.splitlines()[-80:]))
        print("\n".join((result.get("stderr") or "").splitlines()[-40:]))
        bad = max(bad, 1)
    passed, failed = passed + good, failed + bad
for name in sorted(wanted):
    print(f"--- {name}: did not run")
    failed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
PYTHON
}

if ! install_missing || ! configure; then
  echo "0 passed, 1 failed"
  exit 1
fi
rm -f "$build/meson-logs/testlog.json"
options=(--num-processes 2 --print-errorlogs)
case $mode in
  --quick) options+=(--suite quick) ;;
  --full) options+=(--setup full) ;;
esac
meson test -C "$build" "${options[@]}" || true  # builds what the tests need
count
