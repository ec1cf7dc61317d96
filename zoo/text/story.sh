#!/bin/sh
# Continues nothing with llama2.c's smallest model, greedily, and compares the story with the one that llama2.c documents
# (https://github.com/karpathy/llama2.c, doc/stories260K.md), character for character.
#
# Usage: zoo/text/story.sh FOLDER     FOLDER holds stories260K.bin and tok512.bin of huggingface.co/karpathy/tinyllamas
# GENERA_TEXT names the program (default: build/zoo/text/genera-text).
set -eu
folder=$1
program=${GENERA_TEXT:-$(dirname "$0")/../../build/zoo/text/genera-text}
documented=a3213f9ea026d75bf2993355ae334822d7c9d34328964c711ab030d3148e6cef # SHA-256 of its 4 lines, 566 bytes
story=$("$program" sample "$folder/stories260K.bin" --tokenizer "$folder/tok512.bin" --temperature 0 --tokens 256)
printf '%s\n' "$story"
if [ "$(printf '%s\n' "$story" | sha256sum | cut -d ' ' -f 1)" = "$documented" ]; then
  echo "the documented story, character for character" >&2
else
  echo "another story than the documented one" >&2
  exit 1
fi
