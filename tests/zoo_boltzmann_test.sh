#!/usr/bin/env bash
# genera-boltzmann as its users meet it: every model and verb, resuming, interruption, and what goes wrong. What all programs
# share is tested by zoo_vae_test.sh.
# Usage: zoo_boltzmann_test.sh PATH/TO/genera-boltzmann
source "$(dirname "$0")/program_checks.sh"

# The pictures from fixed noise too.
same_run_and_samples() { same_run "$1" "$2" && cmp -s "$1/samples/step_0000006.png" "$2/samples/step_0000006.png"; }

# Tiny runs of every model: a few generated images, 6 steps.
tiny=(train --smoke --steps 6 --validations 3)
declare -A flags=(
  [rbm]='--hidden 24 --momentum 0.5 --weight-decay 1e-4'
  [pt]='--hidden 10 --training pt --chains 10 --temperatures 4 --sweeps 2'
  [cd]='--hidden 17 --training cd --sweeps 2 --gradient plain --weight-average 0 --schedule constant'
  [gaussian]='--model gaussian --hidden 24 --lr 0.001'
  [dbn]='--model dbn --hidden 20,12,8'
  [dbm]='--model dbm --hidden 10,12 --mean-field 3 --pretrain 0.5 --schedule cosine'
  [deeper]='--model dbm --hidden 24,6,5'
  [together]='--model dbm --hidden 20,8 --pretrain 0'
  [visible]='--model visible --training exact'
  [drawn]='--model visible'
)
check "validations that take all the time" gives 0 train --smoke --time 1s --hidden 24 --validations 10000 --out hurried
check "are warned of" says 'fewer --validations leave more of it to the training'
for name in "${!flags[@]}"; do
  # shellcheck disable=SC2086
  check "train $name" gives 0 "${tiny[@]}" ${flags[$name]} --out "$name"
  check "$name: the likelihood on stdout" prints '^log_likelihood.* nats .*standard error'
  check "$name: samples" gives 0 sample "$name" --count 4 --annealing 20 --sweeps 3
  check "$name: a picture" png "$(cat out)"
  check "$name: completions" gives 0 complete "$name" --count 4 --sweeps 4 --hide centre --out c.png
  check "$name: completions are a picture" png c.png
  # shellcheck disable=SC2086
  check "$name: in parts, another number of threads" gives 0 "${tiny[@]}" ${flags[$name]} --out "$name-parts" --stop-after 1 --threads 1
  for step in 2 3 4; do
    check "$name: resume for step $step" gives 0 train --resume "$name-parts" --stop-after 1
  done
  check "$name: resume to the end" gives 0 train --resume "$name-parts"
  check "$name: the same bits, log and samples" same_run_and_samples "$name" "$name-parts"
done
if [ "$failed" -gt 0 ]; then
  echo "test cases: $((passed + failed)) | $passed passed | $failed failed"
  exit 1
fi

check "what the model chose is kept" keeps drawn 'shrink = 7' 'lr = 0.5'
check "so it is of others" keeps dbn 'shrink = 1' 'lr = 0.1'
check "the chains are in the checkpoint" grep -q -a '"chain.0"' rbm/checkpoints/last.safetensors
# The first half of its steps is the whole run of the restricted machine that it begins with.
check "a restricted machine" gives 0 train --smoke --steps 3 --validations 1 --hidden 10 --schedule cosine --out half
gaps() { grep -o '"step":[123],.*"energy_gap":[^,]*' "$1/metrics.jsonl"; }
check "three steps of it" test "$(gaps half | wc -l)" -eq 3
check "pre-training is its training" test "$(gaps half)" = "$(gaps dbm)"
check "a report" grep -q '<td>log_likelihood</td>' rbm/report.html
check "chains" gives 0 chains rbm --count 3 --columns 5 --annealing 20 --sweeps 2
check "chains are a picture" png "$(cat out)"
check "the recipe is in it" grep -q -a '&& genera-boltzmann chains RUN .*--count 3 --columns 5' rbm/chains.png
for name in rbm dbn visible; do
  check "filters of $name" gives 0 filters $name --count 9
  check "filters of $name are a picture" png $name/filters.png
done
check "eval" gives 0 eval dbm --betas 40 --runs 10 --record record.json
check "eval says what AIS found" prints '^log_z .*40 betas, 10 runs'
check "a bound is called a bound" prints '^log_likelihood_bound '
check "the record has its origin" grep -q '"command": "genera-boltzmann train ' record.json
check "10 hidden units: exact log Z" gives 0 eval dbm --betas 40
check "it is shown" prints '^log_z_exact '
check "exact likelihood of the visible machine" gives 0 eval visible --betas 40 --json
check "it names its protocol" prints 'exact log Z'
check "score" gives 0 score rbm --betas 40
check "a header, and one line per image" test "$(wc -l <rbm/scores.csv)" -eq 129
check "the header says what it is" grep -q '^index,log_likelihood$' rbm/scores.csv
check "score of a bound" gives 0 score dbn --betas 40 --out bound.csv
check "says that it is one" grep -q '^index,log_likelihood_bound$' bound.csv
check "info" gives 0 info dbm --json
check "info tells the layers" bash -c 'tr -d " \n" <out | grep -q "784,10,12"'
check "samples as an array" gives 0 sample rbm --count 9 --annealing 5 --sweeps 1 --out s.npy
check "an array" test "$(head -c 6 s.npy | tail -c 5)" = NUMPY
for hide in bottom top left right random; do
  check "hide $hide" gives 0 complete rbm --count 2 --sweeps 2 --hide "$hide" --out "$hide.png"
done
check "--plan" gives 0 "${tiny[@]}" --plan
check "--shrink" gives 0 "${tiny[@]}" --shrink 2 --hidden 8 --out shrunk
check "--time" gives 0 train --smoke --time 1s --hidden 16 --validations 2 --out timed
check "nothing said of the units" gives 0 train --smoke --model dbm --stop-after 1 --out own
check "the model's own are kept" keeps own 'hidden = "500,1000"' 'lr = 0.02'

# --- Interruption ---------------------------------------------------------------------------------------------
check "Ctrl-C exits 130" interrupted INT 130 train --smoke --steps 100000000 --hidden 16
check "it says how to go on" says 'genera-boltzmann train --resume stopped'
check "it goes on" gives 0 train --resume stopped --stop-after 2

# --- What goes wrong ------------------------------------------------------------------------------------------
check "layers that are no numbers" gives 2 train --smoke --hidden 500,many --out x
check "it is said" says '--hidden 500,many'
check "two layers of one" gives 2 train --smoke --hidden 20,20 --out x
check "one layer of two" gives 2 train --smoke --model dbm --hidden 20 --out x
check "hidden units where there are none" gives 2 train --smoke --model visible --hidden 20 --out x
check "too many to draw one by one" gives 2 train --smoke --model visible --shrink 1 --out x
check "enumeration of too many" gives 2 train --smoke --training exact --out x
check "squares that do not fit" gives 2 train --smoke --shrink 5 --out x
check "no folder is left" test ! -e x
check "NaN" gives 4 train --smoke --steps 8 --hidden 16 --lr 1e37 --gradient plain --out nan
check "a verb that is not there" gives 2 dream rbm
cp -r rbm damaged
sed -i 's/^hidden = .*/hidden = "25"/' damaged/config.toml
check "weights of another size" gives 3 sample damaged
sed -i 's/^hidden = .*/hidden = "0"/' damaged/config.toml
check "settings that no run can have" gives 3 sample damaged

finish
