#!/bin/bash
# Fuzzes every reader of engine/io with libFuzzer under the address and undefined-behaviour sanitizers.
# Usage: tests/fuzz/run.sh [SECONDS per reader, 30] [reader ...]
# Needs Debian's clang-16, libclang-rt-16-dev, libfmt-dev, libspng-dev, libxxhash-dev, nlohmann-json3-dev, zlib1g-dev.
# What it finds stays in $GENERA_FUZZ_DIR (default: /tmp/genera-fuzz).
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-30}
readers=("${@:2}")
[ ${#readers[@]} -gt 0 ] || readers=(gguf idx npy npz png safetensors)
work=${GENERA_FUZZ_DIR:-/tmp/genera-fuzz}
mkdir -p "$work/objects"
flags=(-std=c++20 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
  -DGENERA_HAVE_PNG=1 -I. -Iengine/include)

objects=()
for source in engine/io/*.cpp engine/core/shape.cpp engine/core/float16.cpp; do
  object=$work/objects/$(basename "$source").o
  objects+=("$object")
  if [ -z "$(find "$object" -newer "$source" 2>/dev/null)" ] ||
    [ -n "$(find engine/io engine/include -name '*.h' -newer "$object")" ]; then
    clang++-16 "${flags[@]}" -c "$source" -o "$object"
  fi
done

for reader in "${readers[@]}"; do
  corpus=$work/$reader
  mkdir -p "$corpus"
  # Seeds: the files of tests/io_golden.h.
  python3 - "$reader" "$corpus" <<'PYTHON'
import re, sys
reader, folder = sys.argv[1:]
text = open("tests/io_golden.h").read()
for name, body in re.findall(r"const char\* (\w+) =\s*((?:\"[0-9a-f]*\"\s*)+);", text):
    if name.split("_")[0] == reader:
        data = bytes.fromhex("".join(re.findall(r"\"([0-9a-f]*)\"", body)))
        open(f"{folder}/{name}", "wb").write(data)
PYTHON
  clang++-16 "${flags[@]}" -fsanitize=fuzzer "tests/fuzz/${reader}_fuzz.cpp" "${objects[@]}" \
    -o "$work/${reader}_fuzz" -lfmt -lz -lspng -lxxhash
  # Readers may allocate the slack of 64 MiB and little more: -malloc_limit_mb holds them to it.
  "$work/${reader}_fuzz" -max_total_time="$seconds" -malloc_limit_mb=72 -rss_limit_mb=1024 \
    -timeout=10 -max_len=8192 -print_final_stats=1 -artifact_prefix="$work/$reader-" \
    "$corpus" 2> "$work/$reader.log" || { tail -40 "$work/$reader.log"; exit 1; }
  echo "$reader: $(grep 'number_of_executed_units' "$work/$reader.log")"
done
