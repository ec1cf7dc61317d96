#!/usr/bin/env bash
# genera-text as its users meet it: every verb and model, resuming, interruption, what goes wrong.
# Usage: zoo_text_test.sh PATH/TO/genera-text
golden=$(realpath "$(dirname "$0")/golden/text")
source "$(dirname "$0")/program_checks.sh"
bytes() { [ "$(wc -c <"$1")" -eq "$2" ]; }

# A tiny run on generated text, 8 steps.
tiny=(train --smoke --steps 8 --validations 4 --batch 8)

# --- Every model: the whole path, the same bits however it is cut and for any number of threads ------------------
for model in gpt llama lstm gru; do
  extra=()
  [ $model = llama ] && extra=(--kv-heads 2 --window 5 --dropout 0.1)
  [ $model = lstm ] && extra=(--layers 2 --dropout 0.1)
  run=("${tiny[@]}" --model $model "${extra[@]}")
  check "$model" gives 0 "${run[@]}" --out $model
  check "$model: the figure" prints '^nats_per_char .* nats .*standard error'
  check "$model: one thread" gives 0 "${run[@]}" --out one-$model --threads 1
  check "$model: the same bits for another number of threads" same_bits $model one-$model
  check "$model: a part" gives 0 "${run[@]}" --out cut-$model --stop-after 3
  check "$model: one more step" gives 0 train --resume cut-$model --stop-after 1
  check "$model: the rest" gives 0 train --resume cut-$model
  check "$model: the same bits" same_bits $model cut-$model
  check "$model: the same samples" cmp -s $model/samples/step_0000008.txt cut-$model/samples/step_0000008.txt
  check "$model: sample" gives 0 sample $model --tokens 40 --prompt 'the '
  check "$model: prompt and 40 characters" bytes out 45
done
check "ngram" gives 0 train --smoke --model ngram --out ngram
check "ngram: it has learned the sentences" bash -c \
  'awk "/^nats_per_char/ { exit !(\$2 < 0.6) }" out'
check "ngram: again" gives 0 train --smoke --model ngram --out again
check "ngram: the same bits" same_bits ngram again
check "ngram with one discount" gives 0 train --smoke --model ngram --discounts one --order 3 --out one
check "all of the training text" gives 0 "${tiny[@]}" --validation-share 0 --out all
check "no validation" without validation all/metrics.jsonl
check "the last weights are the result" gives 0 eval all
check "bytes" gives 0 train --smoke --model ngram --tokenizer byte --out byte

# --- The run folder ---------------------------------------------------------------------------------------------
for file in config.toml manifest.json metrics.jsonl loss.svg summary.json report.html checkpoints/last.safetensors \
            checkpoints/best.safetensors samples/step_0000008.txt; do
  check "the run has $file" test -s "gpt/$file"
done
check "what the model chose is kept" keeps gpt 'context = 16' 'layers = 1' 'width = 32' 'lr = 0.003'
check "so it is of recurrent ones" keeps gru 'lr = 0.002' 'steps = 8'
check "samples carry their recipe" grep -q '# genera-text train --steps 8 .*--out RUN' gpt/samples/step_0000008.txt
check "info" gives 0 info gpt
check "info tells the tokenizer" prints '^tokenizer *char'
check "info --json" gives 0 info ngram --json
check "its numbers are numbers" prints '"order": 6'
check "eval" gives 0 eval gpt --json
check "eval prints the figures" prints '"nats_per_char"'
cp out first
check "eval --record" gives 0 eval gpt --record record.json --json
check "eval is reproducible" cmp -s out first
check "the record has no path" without "$scratch" record.json
check "--plan" gives 0 "${tiny[@]}" --plan --out planned
check "--plan makes no folder" test ! -e planned

# --- Sampling ---------------------------------------------------------------------------------------------------
sampled=(sample ngram --prompt 'the king ' --tokens 120)
check "sample" gives 0 "${sampled[@]}" --seed 5
cp out first
check "sample again" gives 0 "${sampled[@]}" --seed 5 --threads 1
check "the same text" cmp -s out first
check "another seed" gives 0 "${sampled[@]}" --seed 6
check "another text" bash -c '! cmp -s out first'
check "several texts" gives 0 "${sampled[@]}" --seed 5 --count 3 --json
check "text 0 does not depend on the others" bash -c \
  'grep -q -F -- "$(head -1 first | cut -c10-30)" out && [ "$(grep -c "\"text\":" out)" -eq 3 ]'
check "texts in a file" gives 0 "${sampled[@]}" --seed 5 --count 3 --out texts.txt
check "it is named" prints '^texts.txt$'
check "they begin with the prompt" test "$(grep -c '^the king ' texts.txt)" -ge 3
check "greedy" gives 0 "${sampled[@]}" --temperature 0 --seed 1
cp out first
check "top-k 1" gives 0 "${sampled[@]}" --top-k 1 --seed 2
check "is greedy" cmp -s out first
check "a tiny top-p" gives 0 "${sampled[@]}" --top-p 1e-6 --seed 3
check "is greedy" cmp -s out first
check "min-p 1" gives 0 "${sampled[@]}" --min-p 1 --seed 4
check "is greedy" cmp -s out first
check "a repetition penalty" gives 0 "${sampled[@]}" --temperature 0 --repetition-penalty 5
check "is not" bash -c '! cmp -s out first'
check "stop" gives 0 sample ngram --prompt 'the king' --tokens 500 --stop 'zzz||\n'
check "at the end of the line" bytes out "$(head -1 out | wc -c)"
check "a text that cannot be shown" bash -c '"$0" sample gpt --tokens 3 >/dev/full 2>err; [ $? -eq 7 ]' "$program"
check "an empty prompt" gives 0 sample gpt --tokens 3
check "a text longer than the context" gives 0 sample gpt --tokens 200
check "a prompt" gives 0 sample lstm --tokens 40 --prompt 'the '
mv out bare
check "a prompt after a newline" gives 0 sample lstm --tokens 40 --prompt $'\nthe '
check "is continued in the same way: prompts begin lines" cmp -s bare <(tail -n +2 out)
check "a prompt longer than the context" gives 0 sample gpt --tokens 9 --prompt 'the king sees the moon, and the sea'
check "a prompt that is no UTF-8" gives 0 sample byte --tokens 3 --prompt $'\xff' --json
check "byte tokens give whole characters" gives 0 sample byte --temperature 50 --tokens 300 --prompt 'x'
check "UTF-8" iconv -f UTF-8 -t UTF-8 -o /dev/null out
printf 'the king sees the moon.\n\nking! sees; the\n' >lines
check "score" gives 0 score ngram lines
check "log-likelihoods" bash -c '[ "$(grep -c "^ *-[0-9.]* nats " out)" -eq 2 ]'
check "two lines" test "$(wc -l <out)" -eq 2
check "the odd one is less expected" bash -c 'awk "NR == 1 { a = \$3 } NR == 2 { exit !(\$3 > a) }" out'

# --- Data -------------------------------------------------------------------------------------------------------
mkdir collection elsewhere
for i in $(seq 60); do echo "Zeile $i: äöü, nochmals äöü."; done >collection/mine.txt
check "a name in GENERA_DATA" \
  bash -c 'GENERA_DATA=collection "$0" train --data mine --model ngram --order 3 --out named >out 2>err' "$program"
check "eval finds its text" bash -c 'cd elsewhere && "$0" eval ../named >out 2>err' "$program"
check "a path" gives 0 train --data ./collection/mine.txt --model ngram --out path
check "another text" gives 0 eval path --data collection/mine.txt
check "Debian's Bible" gives 0 train --data bible-kjv --model ngram --order 2 --out bible
check "no such text" gives 3 train --data no-such-text --out never
check "it tells what is there" says 'bible-kjv'
cp collection/mine.txt here.txt
check "a file here, written like a name" gives 0 train --data here.txt --model ngram --out here-run
check "it is found from another folder" bash -c 'cd elsewhere && "$0" eval ../here-run >out 2>err' "$program"
check "no such file" gives 3 train --data ./no-such-file --out never
printf 'too short' >short
check "too short" gives 3 train --data ./short --out never
check "too short for the context" gives 2 train --data ./collection/mine.txt --context 5000 --out never
head -c 2000 /dev/urandom >noise
printf '\x80\x81%.0s' $(seq 500) >tails
check "bytes that begin no character" gives 0 train --data ./tails --tokenizer byte --model ngram --out tails-run
: >empty
check "an empty text" gives 3 train --data ./empty --out never
check "is too short" says '0 bytes are too few'
check "an endless text" gives 3 score ngram /dev/zero
check "a tokenizer for a run" gives 2 sample gpt --tokenizer ./nowhere
check "no UTF-8" gives 3 train --data ./noise --out never
check "bytes are bytes" gives 0 train --data ./noise --tokenizer byte --model ngram --order 2 --out noisy
check "no folder for what failed" test ! -e never
check "a character that the model does not know" gives 3 sample gpt --prompt 'é'
check "is named" says 'tokenizer byte'
printf 'the king\n\nthe \303\251\n' >odd-line
check "one in a line" gives 3 score gpt odd-line
check "is named with the line" says 'line 3: the character'
check "a text is no model" gives 3 sample short
check "the error says what is" says "9 bytes are no model that is known here (.gguf, .safetensors, or llama2.c's .bin)"
check "a folder without a model" gives 3 sample collection
check "the error says what a folder holds" says 'neither a run folder, which has a config.toml, nor a Hugging Face folder'
check "before the prompt is shown" test ! -s out

# --- Other programs' models ------------------------------------------------------------------------------------
check "a GGUF file" gives 0 sample "$golden/llama.gguf" --prompt 'the tokens' --tokens 8
check "begins with the prompt" prints '^the tokens'
mv out first
check "the same again" gives 0 sample "$golden/llama.gguf" --prompt 'the tokens' --tokens 8
check "is the same" cmp -s out first
check "GPT-2 in GGUF, no prompt" gives 0 sample "$golden/gpt2.gguf" --tokens 8 --count 2
check "a Hugging Face folder" gives 0 sample "$golden/llama" --tokens 8 --tokenizer "$golden/sentencepiece/tokenizer.json"
cp -r "$golden/llama" with-tokenizer
cp "$golden/sentencepiece/tokenizer.json" with-tokenizer
check "with its tokenizer" gives 0 sample with-tokenizer --tokens 8
check "by one of its files" gives 0 sample with-tokenizer/model-00001-of-00003.safetensors --tokens 8
check "no tokenizer" gives 3 sample "$golden/llama" --tokens 8
check "it tells which files would be one" says 'tokenizer.json'
check "asks for one" says 'name its file by --tokenizer'
check "a tokenizer of another model" gives 3 sample "$golden/mistral" --tokenizer "$golden/sentencepiece/tokenizer.json"
check "tells both sizes" says 'the tokenizer has 400 tokens and the model 120'
head -c 20000 "$golden/llama.gguf" >cut.gguf
check "a truncated file" gives 3 sample cut.gguf
check "says so in one line, after the one that names the device" test "$(wc -l <err)" -eq 2
# Sizes 1024, 32, 1 layer, 1 head, 2^20 tokens, context 16: 4.3 GB, as a file with a hole.
printf '\0\004\0\0\040\0\0\0\001\0\0\0\001\0\0\0\001\0\0\0\0\0\020\0\020\0\0\0' >large.bin
truncate -s $((28 + 4 * ((1 << 20) * 1024 + 3 * 1024 + 4 * 1024 * 1024 + 3 * 1024 * 32 + 16 * 1024))) large.bin
check "more than fits into memory" eval '(ulimit -v 4000000; gives 6 sample large.bin)'
check "gives the numbers" says '1078037504 weights take 4312.2 MB'

# --- What goes wrong --------------------------------------------------------------------------------------------
check "heads that do not divide the width" gives 2 "${tiny[@]}" --width 30 --out never
check "an unknown model" gives 2 train --model gtp --out never
check "the nearest" says 'did you mean gpt'
check "a temperature below 0" gives 2 sample gpt --temperature -1
check "no run" gives 3 info nowhere
cp -r gpt damaged
truncate -s 1000 damaged/checkpoints/best.safetensors
check "a damaged checkpoint" gives 3 sample damaged
cp -r gpt other
sed -i 's/^model = .*/model = "lstm"/' other/config.toml
check "a checkpoint of another model" gives 3 sample other

# --- Interruption -----------------------------------------------------------------------------------------------
check "SIGTERM exits 143" interrupted TERM 143 train --smoke --model lstm --steps 100000000
check "Ctrl-C exits 130" interrupted INT 130 train --smoke --model lstm --steps 100000000
check "Ctrl-C tells how to go on" says 'continue with: genera-text train --resume stopped'

finish
