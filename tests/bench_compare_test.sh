#!/bin/sh
# What bench/compare_pytorch.py makes of times: ratios, their geometric mean, a record that several calls write. genera-bench and
# PyTorch are scripts here that say at once what they took.
# Usage: bench_compare_test.sh SOURCE_ROOT
set -eu
compare=$1/bench/compare_pytorch.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p build/bench
# Ours takes 2 ms, or as many as the file `ours` says.
cat >build/bench/genera-bench <<'STUB'
#!/bin/sh
took=$(cat ours 2>/dev/null || echo 2)
echo "{\"benchmarks\": [{\"median_ms\": $took, \"min_ms\": $took, \"cpu_time\": $took, \"time_unit\": \"ms\"}]}"
STUB
# PyTorch takes 4 ms compiled (glow: 1 ms), 8 ms eager; it cannot compile lstm_char.
cat >torch <<'STUB'
#!/bin/sh
[ "$1" != -c ] || { echo "${TORCH_VERSION:-1.0}"; exit 0; }
took=4
case "$*" in
  *lstm_char*compiled*) echo "Unsupported: recurrence" >&2; exit 1 ;;
  *eager*) took=8 ;;
  *glow*) took=1 ;;
esac
echo "{\"median_ms\": $took, \"min_ms\": $took, \"cpu_ms\": $took, \"noise_pct\": 0}"
STUB
chmod +x build/bench/genera-bench torch

run() { # WORKLOADS ARGUMENTS...
  python3 "$compare" --build build --python ./torch --rounds 1 --noise 1000 --workloads "$@" >out 2>err
}
fails() {
  echo "bench_compare_test: $1" >&2
  cat out err >&2
  exit 1
}
says() { grep -qE "$1" out || fails "no line '$1'"; }
holds() { python3 -c "import json; record = json.load(open('record.json')); assert $1, record" || fails "not so: $1"; }

# Ratios 2, 1/2 and 4: the geometric mean is the cube root of 4. Single operations do not count.
run vae_mlp,glow,lstm_char,tiny_add --threads 1
says '^vae_mlp .* 1T .* ratio 2.00$'
says '^tiny_add .* ratio 2.00$'
says '^geometric mean +1T  ratio 1.59 over 3 of [0-9]+ models, smallest 0.50 \(glow\)$'
grep -q 'lstm_char: compiled/nchw: torch: Unsupported: recurrence' err || fails "what was left out is not said"

# A second call adds to the record; what is measured again is replaced.
run vae_mlp --threads 1,2 --json record.json
holds "[(m['threads'], m['geometric_mean'], m['models']) for m in record['means']] == [(1, 2.0, 1), (2, 2.0, 1)]"
run glow --threads 1 --json record.json
says '^geometric mean +1T  ratio 1.00 over 2 of '
says '^geometric mean +2T  ratio 2.00 over 1 of '
holds "record['means'][0]['smallest_model'] == 'glow' and record['means'][0]['smallest'] == 0.5"
echo 1 >ours
run vae_mlp --threads 1 --json record.json --rounds 2
holds "[(r['workload'], r['threads'], r['ratio'], r['rounds_run']) for r in record['results']] == \
  [('glow', 1, 0.5, 1), ('vae_mlp', 1, 4.0, 2), ('vae_mlp', 2, 2.0, 1)]"
holds "all(r['commit'] for r in record['results'])"

# Results under another PyTorch do not belong beside them.
if TORCH_VERSION=2.0 run vae_mlp --threads 1 --json record.json; then fails "two versions in one record"; fi
grep -q '^error: record.json holds results of another kind (torch: 1.0, here 2.0)' err || fails "no reason given"
holds "len(record['results']) == 3"
# The other program of the folder names what it lacks.
if python3 "$1/bench/limits.py" --build nowhere 2>err; then fails "limits of nothing"; fi
grep -q '^error: no nowhere/zoo/vae/genera-vae: build it' err || fails "no reason given"
echo "the comparison's figures are right"
