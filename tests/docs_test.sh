#!/bin/sh
# Compiles and runs every C++ block of README.md and docs/*.md. Each block becomes a function body. Of a block marked ```c++, which
# is a piece of the zoo, the first of docs/adding-a-model.md is a whole file and is compiled.
# The table in zoo/README.md must hold every model and say what the records say; so must the floors that it names.
# Usage: docs_test.sh SOURCE_ROOT BUILD_ROOT
set -eu
source=$1
build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
  echo '#include <genera/genera.h>'
  echo '#include <cmath>'
  echo '#include <cstdio>'
  echo 'using namespace genera;'
} >"$work/docs.cpp"
awk '
  FNR == 1 { file = FILENAME; sub(/.*\//, "", file) }
  /^```cpp$/ { inside = 1; n++; printf "static void block_%d() {  // %s:%d\n#line %d \"%s\"\n", n, file, FNR, FNR + 1, file; next }
  /^```$/ && inside { inside = 0; print "}"; next }
  inside { print }
  END {
    print "int main() {"
    for (i = 1; i <= n; i++) printf "  block_%d();\n", i
    printf "  std::printf(\"%%d blocks ran\\n\", %d);\n  return %d > 0 ? 0 : 1;\n}\n", n, n
  }' "$source"/README.md "$source"/docs/*.md >>"$work/docs.cpp"
${CXX:-c++} -std=c++20 -O1 -Wall -Wextra -I"$source/engine/include" "$work/docs.cpp" -o "$work/docs" \
  -L"$build" -lgenera -Wl,-rpath,"$build"
"$work/docs"
awk '/^```c[+][+]$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$source"/docs/adding-a-model.md >"$work/model.cpp"
test -s "$work/model.cpp"
${CXX:-c++} -std=c++20 -fsyntax-only -Wall -Wextra -I"$source" -I"$source/engine/include" "$work/model.cpp"
echo "the page's model compiles"
python3 "$source/zoo/figures.py" --check
echo "the table of models is what the records say"
python3 "$source/zoo/floors.py" fashion-mnist >"$work/floors"
for floor in 385.0 189.9 4.588; do
  grep -q "^ *$floor " "$work/floors"
  grep -qF " $floor" "$source/zoo/published.toml"
done
