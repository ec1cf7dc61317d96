#!/usr/bin/env bash
# Tuning: what it finds is kept for this device and used by later processes, and nothing else is: vulkan_tune_test.sh BENCH MODULE, with genera-bench and
# libgenera-vulkan.so.
set -u
bench=$1
export GENERA_VULKAN_MODULE=$2 LP_NUM_THREADS=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export GENERA_SHADER_CACHE=$scratch/shaders
passed=0 failed=0
check() {
  local what=$1
  shift
  if "$@"; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    echo "FAILED: $what"
    tail -5 "$scratch/out"
  fi
}
# The device report's line about tiles, from a process that does next to nothing.
used() {
  timeout 60 "$bench" --device vulkan --benchmark_filter=tiny_add --benchmark_min_time=0.001 2>&1 >/dev/null | sed -n 's/^tiles //p'
}
says() { grep -q "$1" "$scratch/out"; }
one_file() { [ "$(ls "$scratch"/shaders/tiles-* 2>/dev/null | wc -l)" = 1 ]; }

# What one workload lacks costs that one alone, and the report at the end is there.
GENERA_VULKAN_LIMITS=binding=100K "$bench" --device vulkan --benchmark_filter='sgemm_(64x64x64|256x256x256)' --benchmark_min_time=0.001 >"$scratch/out" 2>&1
check "a workload that is too large for the device: goes on" test $? = 0
check "says so" says "sgemm_256.*ERROR OCCURRED: '.*shaders see at most 102400 bytes"
check "the others are measured" says 'sgemm_64x64x64.* ms '
check "the device's report" says '^dispatches'
default=$(used)
check "there is a default" test -n "$default"
check "nothing is stored unasked" test -z "$(ls "$scratch"/shaders/tiles-* 2>/dev/null)"
"$bench" --tune --device cpu >"$scratch/out" 2>&1
check "the CPU has nothing to tune" test $? = 1
check "it says so" says 'nothing to tune'
# Small bindings: small products, which take seconds.
GENERA_VULKAN_LIMITS=binding=100K "$bench" --tune --device vulkan >"$scratch/out" 2>&1
check "tunes" test $? = 0
check "every tile was measured" test "$(grep -c ', tile [0-2]\.[0-2]: ' "$scratch/out")" = 9
check "it is stored" one_file
chosen=$(sed -n 's/^chosen: //p' "$scratch/out")
check "a later process uses it" test "$(used)" = "$chosen"
file=$(ls "$scratch"/shaders/tiles-*)
check "it says where" says "^stored in $file: .* delete it$"
sed -i '2s/.*/1 2 1 7 9/' "$file"
check "what is stored is what is used" test "$(used)" = "1 2 1 7 9"
for line in '1 2 3 7 9' '1 2 1 7' 'junk' '-1 0 0 1 1' '1 2 1 7 -9' '1 2 1 7 9 5'; do
  sed -i "2s/.*/$line/" "$file"
  check "the default instead of '$line'" test "$(used)" = "$default"
  "$bench" --device vulkan --benchmark_filter=tiny_add --benchmark_min_time=0.001 >"$scratch/out" 2>&1
  check "'$line' is called damaged" says 'is damaged'
done
sed -i -e '1s/^tiles/lines/' -e '2s/.*/1 2 1 7 9/' "$file"
check "another device's is not used" test "$(used)" = "$default"
for other in "mkfifo $file" "ln -s /dev/zero $file" "truncate -s 1T $file" "mkdir $file"; do
  rm -f "$file"
  $other
  check "the default with $other" test "$(used)" = "$default"
done
rmdir "$file"
GENERA_SHADER_CACHE= GENERA_VULKAN_LIMITS=binding=100K,invocations=128 "$bench" --tune --device vulkan >"$scratch/out" 2>&1
check "without a cache it says that nothing is stored" says 'not stored'
check "tiles that do not fit are left out" test "$(grep -c ', tile [0-2]\.[0-2]: ' "$scratch/out")" = 5
GENERA_VULKAN_LIMITS=binding=1K "$bench" --tune --device vulkan >"$scratch/out" 2>&1
check "a device that sees too little for any product" test $? = 1
check "it says so" says 'sees too little memory at once'
echo "$passed passed, $failed failed"
[ $failed = 0 ]
