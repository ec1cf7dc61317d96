# What the tests of programs share: source it with the program as $1. It changes into a scratch folder without GENERA_
# variables, and begins to count.
set -u
program=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
for name in $(env | grep -o '^GENERA_[A-Z_]*'); do unset "$name"; done
passed=0
failed=0

# check WHAT COMMAND...: the command must succeed.
check() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
    tail -n 5 out err 2>/dev/null
  fi
}

# gives CODE ARGUMENTS...: runs the program, output into `out` and `err`, and checks its exit code.
gives() {
  local wanted=$1 code
  shift
  "$program" "$@" >out 2>err
  code=$?
  [ "$code" -eq "$wanted" ] || echo "exit code $code instead of $wanted: $(basename "$program") $*"
  [ "$code" -eq "$wanted" ]
}
says() { grep -q -- "$1" err; }
prints() { grep -q -- "$1" out; }
without() { ! grep -q -- "$1" "$2"; }
png() { [ "$(head -c 4 "$1" | tail -c 3)" = PNG ]; }

# same_bits A B: two run folders hold the same weights; same_log: the same log, but for times; same_run: both.
same_bits() {
  cmp -s "$1/checkpoints/last.safetensors" "$2/checkpoints/last.safetensors" &&
    cmp -s "$1/checkpoints/best.safetensors" "$2/checkpoints/best.safetensors"
}
without_times() { sed 's/"seconds":[^,}]*//' "$1/metrics.jsonl"; }
same_log() { diff <(without_times "$1") <(without_times "$2") >/dev/null; }
same_run() { same_bits "$1" "$2" && same_log "$1" "$2"; }

# close A B: two runs on different devices end with about the same loss.
loss() { sed -n 's/.*"loss":\([-0-9.e]*\).*/\1/p' "$1/metrics.jsonl" | tail -1; }
close() { awk -v a="$(loss "$1")" -v b="$(loss "$2")" 'BEGIN { d = a - b; exit !(a != "" && b != "" && d < 1e-3 && d > -1e-3) }'; }

# keeps RUN LINE...: config.toml has these lines.
keeps() {
  local run=$1 line
  shift
  for line in "$@"; do
    grep -q -x -F -- "$line" "$run/config.toml" || { echo "$run/config.toml has no line $line" && return 1; }
  done
}

# interrupted SIGNAL CODE ARGUMENTS...: a run into the folder `stopped` exits with CODE when it gets the signal.
interrupted() {
  local signal=$1 wanted=$2 pid code
  shift 2
  rm -rf stopped
  env --default-signal=INT,TERM,HUP "$program" "$@" --out stopped >out 2>err &
  pid=$!
  for _ in $(seq 200); do
    [ -s stopped/checkpoints/last.safetensors ] && break
    sleep 0.05
  done
  sleep 0.2
  kill "-$signal" "$pid"
  wait "$pid"
  code=$?
  [ "$code" -eq "$wanted" ] || echo "exit code $code instead of $wanted after SIG$signal"
  [ "$code" -eq "$wanted" ]
}

# The last line of a test: how many checks passed.
finish() {
  echo "test cases: $((passed + failed)) | $passed passed | $failed failed"
  [ "$failed" -eq 0 ]
}
