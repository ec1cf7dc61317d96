#!/usr/bin/env bash
# Builds and runs every test; the last line is "N passed, M failed".
# Usage: tests/run.sh [--quick | --full]
#   --quick  the inner loop: only the programs that take seconds
#   --full   also what is too long for every change (more random graphs, every case of kernels and devices); leaves a record in full_record.txt of the build folder
# Builds in build-tests/ (or $GENERA_BUILD), only what has changed. Needs Debian 12 or later; installs the packages that are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${GENERA_BUILD:-build-tests}
mode=${1:-}
case $mode in
'' | --quick | --full) ;;
-h | --help)
  sed -n "2,6s/^# //p" tests/run.sh
  exit 0
  ;;
*)
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

# The installation that tests/install_test.sh makes goes below the build folder. In continuous integration ($CI) warnings are errors.
configure() {
  local prefix
  prefix=$(mkdir -p "$build" && cd "$build" && pwd)/installed
  if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" --prefix "$prefix" ${CI:+--werror} >"$build/configure.log" || {
      cat "$build/configure.log"
      return 1
    }
  elif ! meson introspect "$build" --buildoptions | grep -qF "\"$prefix\""; then
    meson configure "$build" --prefix "$prefix"
  fi
}

# Counts doctest's cases and, for every other test, its exit status; a program that left no result has failed. A full run is recorded.
count() {
  python3 - "$build" "$mode" "$SECONDS" <<'PYTHON'
import datetime, json, os, pathlib, re, subprocess, sys
build, mode, seconds = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
tests = json.loads(subprocess.check_output(["meson", "introspect", "--tests", str(build)]))
wanted = {t["name"] for t in tests if mode != "--quick" or any(s.endswith("quick") for s in t["suite"])}
log = build / "meson-logs" / ("testlog-full.json" if mode == "--full" else "testlog.json")
passed = failed = 0
rows = []


def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()


def vulkan_drivers():
    """What genera-doctor says of the devices, as lines."""
    doctor = build / "doctor" / "genera-doctor"
    if not doctor.exists():
        return ["none was examined"]
    report = subprocess.run([doctor, "--report"], capture_output=True, text=True, env={**os.environ, "LP_NUM_THREADS": "0"})
    devices = [d for d in json.loads(report.stdout)["devices"] if d["device"] != "cpu"]
    return [f"{d['name']}, {d.get('driver', '?')} {d.get('driver_version', '?')}" for d in devices] or ["none"]


def write_record():
    """No path and no host's name goes in."""
    commit = git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain") else "")
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    lines = [
        "tests/run.sh --full",
        f"commit: {commit}",
        f"date: {datetime.date.today()}",
        f"processor: {cpu[1] if cpu else 'unknown'}, {os.cpu_count()} cores",
        *(f"vulkan: {driver}" for driver in vulkan_drivers()),
        f"seconds, with the build: {seconds}",
        "test: result, cases passed, cases failed, seconds",
        *(f"{name}: {result}, {good}, {bad}, {took:.0f}" for name, result, good, bad, took in sorted(rows)),
        f"{passed} passed, {failed} failed",
    ]
    (build / "full_record.txt").write_text("\n".join(lines) + "\n")


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
    rows.append((name, result["result"], good, bad, result["duration"]))
for name in sorted(wanted):
    print(f"--- {name}: did not run")
    rows.append((name, "did not run", 0, 1, 0))
    failed += 1
if mode == "--full":
    write_record()
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
PYTHON
}

if ! install_missing || ! configure; then
  echo "0 passed, 1 failed"
  exit 1
fi
rm -f "$build"/meson-logs/testlog*.json
options=(--num-processes 2 --print-errorlogs)
case $mode in
  --quick) options+=(--suite quick) ;;
  --full) options+=(--setup full) ;;
esac
meson test -C "$build" "${options[@]}" || true  # builds what the tests need
count
