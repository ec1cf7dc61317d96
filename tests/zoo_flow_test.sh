#!/usr/bin/env bash
# genera-flow as its users meet it: every model and verb, resuming, interruption, and what goes wrong. What all programs
# share is tested by zoo_vae_test.sh.
# Usage: zoo_flow_test.sh PATH/TO/genera-flow
source "$(dirname "$0")/program_checks.sh"

# A table of 200 rows, made by a generator that needs no library.
awk 'BEGIN { srand(3); print "length,width,mass"
  for (i = 0; i < 200; ++i) { a = 1 + rand(); b = a / 2 + rand() / 10; printf "%.5f,%.5f,%.5f\n", a, b, a * b + rand() / 50 } }' >table.csv

# --- Every model, and resuming it at every step -----------------------------------------------------------------
vectors=(--smoke --steps 6 --validations 3 --layers 2 --hidden 8 --batch 32)
images=(--smoke --steps 3 --validations 3 --layers 1 --hidden 8 --batch 16)
declare -A flags=(
  [spline]="${vectors[*]} --bins 4"
  [realnvp]="${vectors[*]} --data rings --optimizer adamax"
  [maf]="${vectors[*]} --data table.csv --weight-average 0 --clip 1"
  [glow]="${images[*]} --model glow"
  [plain]="${images[*]} --model glow --convolution plain --dequantisation variational --logit 0.05"
  [realnvp-images]="${images[*]} --model realnvp --data sprites --schedule constant"
)
for name in "${!flags[@]}"; do
  model=${name%-images}
  [ "$model" = plain ] && model=glow
  read -r -a arguments <<<"--model $model ${flags[$name]}"
  check "$name: train" gives 0 train "${arguments[@]}" --out "$name"
  check "$name: stop after a step" gives 0 train "${arguments[@]}" --out "$name-chain" --stop-after 1 --threads 1
  for step in 2 3 4 5 6; do
    check "$name: resume for step $step" gives 0 train --resume "$name-chain" --stop-after 1
  done
  check "$name: resumed at every step, with another number of threads: the same run" same_run "$name" "$name-chain"
  check "$name: sample" gives 0 sample "$name" --count 9
  check "$name: sample writes a PNG and says where" png "$(cat out)"
  check "$name: eval" gives 0 eval "$name" --quiet
  check "$name: eval prints the likelihood" prints '^nats .*standard error'
  check "$name: the inverse undoes the flow" awk '/^inverse_error/ { exit !($2 < 1e-4) }' out
  check "$name: info" gives 0 info "$name"
  check "$name: score" gives 0 score "$name" --out "$name.csv"
  check "$name: score writes a header" grep -q '^index,log_likelihood$' "$name.csv"
done
check "the flag of ActNorm is in the checkpoint" grep -q -a 'initialised' glow/checkpoints/last.safetensors
check "what the model chose is kept" keeps glow 'batch = 16' 'clip = 0.3' 'logit = 0'
check "so it is of vectors" keeps spline 'clip = 0' 'logit = 0'
check "bits per dimension of images" gives 0 eval glow --json --draws 2
check "in JSON" prints '"bits_per_dim"'
check "nats above the entropy" gives 0 eval realnvp --json
check "of known densities" prints '"excess"'

# --- Samples ----------------------------------------------------------------------------------------------------
check "samples of a table" gives 0 sample maf --count 5 --out rows.csv
check "have its columns" grep -q '^length,width,mass$' rows.csv
check "as many as asked for" test "$(wc -l <rows.csv)" -eq 6
check "samples as an array" gives 0 sample spline --count 5 --out points.npy
check "is an npy file" grep -q -a NUMPY points.npy
check "images as a folder" gives 0 sample glow --count 3 --temperature 0.7 --out folder
check "of as many PNGs" test "$(find folder -name '*.png' | wc -l)" -eq 3
check "pictures are reproducible" gives 0 sample spline --seed 3 --out one.png
check "again" gives 0 sample spline --seed 3 --out two.png
check "the same bytes" cmp -s one.png two.png
check "pictures carry their recipe" grep -q -a '&& genera-flow sample RUN --seed 3' one.png
check "interpolation of images" gives 0 interpolate glow --count 2 --steps 4 --out walk.png
check "is a PNG" png walk.png
check "interpolation of rows" gives 0 interpolate maf --count 2 --steps 4 --out walk.csv
check "is a table" test "$(wc -l <walk.csv)" -eq 9
check "rows are no picture" gives 2 interpolate maf --out rows.png
check "the error says what they are" says 'rows of numbers are written as NAME.csv'
check "nor a folder" gives 2 sample maf --out rows-folder
check "--smoke leaves named images alone" gives 0 train "${images[@]}" --steps 1 --model glow --data nowhere --out unread
check "and says so" says '--data nowhere is not read'
check "a density is read" without 'is not read' <("$program" train "${vectors[@]}" --steps 1 --data rings --out is-read 2>&1)
check "scores of another table" gives 0 score maf --data table.csv --out other.csv
check "one for each row" test "$(wc -l <other.csv)" -eq 201
head -3 table.csv >few.csv
check "scores of a table too small to train on" gives 0 score maf --data few.csv --out few-scores.csv
check "rows keep their order" cmp -s <(head -3 other.csv) few-scores.csv

# --- Interruption -----------------------------------------------------------------------------------------------
check "Ctrl-C exits 130" interrupted INT 130 train --data moons --steps 100000000 --layers 1 --hidden 8
check "it tells how to go on" says 'continue with: genera-flow train --resume stopped'
check "it goes on" gives 0 train --resume stopped --stop-after 2

# --- What goes wrong --------------------------------------------------------------------------------------------
check "maf is for vectors" gives 2 train --model maf --data fashion-mnist
check "it says so" says 'is for vectors'
check "glow is for images" gives 2 train --model glow --data moons
check "it says so" says 'is for images'
check "images that cannot be halved" gives 2 train "${images[@]}" --model glow --levels 3
check "the error says what can be" says 'multiples of 8'
check "no such data" gives 3 train --model realnvp --data nowhere
check "no such table" gives 3 train --data nowhere.csv
printf 'a,b\n1,2\n3,x\n' >bad.csv
check "a bad table" gives 3 train --data bad.csv
check "its error names line and column" says "bad.csv: line 3 (byte 8): column 2 ('b'): 'x' is not a number"
check "a misspelt density" gives 2 train --smoke --data ring --out never
check "is nearly one" says 'did you mean rings?'
check "a table of another width" gives 3 score spline --data table.csv
check "it is named" says 'the model was trained on 2'
cp table.csv LARGE.CSV
check "a table for a model of images" gives 3 score glow --data LARGE.CSV
check "it is told" says 'is a table, the model was trained on images'
printf 'a,b\000c\n1,x\n' >bad.csv
check "a bad table with an odd name" gives 3 train --data bad.csv
check "names its column whole" says "column 2 ('b?c'): 'x' is not a number"
check "a batch larger than the table" gives 2 train --data table.csv --batch 1000
check "NaN" gives 4 train --smoke --steps 40 --lr 1e30 --lr-warmup 0 --out nan
check "NaN names the step" says 'step [0-9]'
cp -r glow corrupt
printf 'XXXX' | dd of=corrupt/checkpoints/best.safetensors bs=1 seek=9000 conv=notrunc 2>/dev/null
check "a corrupt checkpoint" gives 3 eval corrupt
finish
