#!/usr/bin/env bash
# genera-gan as its users meet it: every model and verb, resuming, interruption, and what goes wrong. What all programs
# share is tested by zoo_vae_test.sh.
# Usage: zoo_gan_test.sh PATH/TO/genera-gan
source "$(dirname "$0")/program_checks.sh"
export XDG_CACHE_HOME=$scratch/cache # the classifier of the smoke runs' images is trained once, here

# A tiny run: a few generated images, 4 steps. best is validated at steps 2 and 4.
tiny=(train --smoke --steps 4 --validations 2 --batch 16 --width 4 --latent 8)

# --- The whole path -------------------------------------------------------------------------------------------
check "train" gives 0 "${tiny[@]}" --model dcgan --out full --save-every 1
check "what the model chose is kept" keeps full 'network = "conv"' 'lr = 0.0002' 'critic-lr = 0.0002' 'critic-steps = 1'
check "figures on stdout" prints '^frechet .*standard error.*classifier [0-9a-f]\{32\}'
check "no progress on stdout" without 'step' out
check "samples from fixed noise" png full/samples/step_0000004.png
check "the classifier is kept" bash -c 'ls cache/genera/classifier-*.safetensors >/dev/null'
check "sample" gives 0 sample full --count 9
check "sample writes a PNG" png "$(cat out)"
check "pictures are reproducible" gives 0 sample full --count 9 --out again.png
check "pictures are the same bytes" cmp -s full/samples.png again.png
check "samples as an array" gives 0 sample full --count 100 --out s.npy
check "noise of one's own must fit" gives 3 sample full --noise s.npy --out own.npy
check "interpolate" gives 0 interpolate full --count 2 --steps 4 --out i.png
check "interpolate writes a PNG" png i.png
check "the recipe" grep -q -a '&& genera-gan interpolate RUN --count 2 --steps 4' i.png
check "eval" gives 0 eval full --json --record record.json
check "eval tells the classifier" says 'classifier [0-9a-f]\{32\}: [0-9.]* % of the test images right'
for figure in frechet precision recall density coverage classes train.frechet noise.frechet; do
  check "eval has $figure" prints "\"$figure\""
done
check "the record has them" grep -q '"train.recall"' record.json
check "eval beside the samples of others" gives 0 eval full --compare s.npy
check "their figures are in the table" prints '^s  '
check "and not below it" without '^s\.frechet' out
check "a table" prints '^ *frechet *precision *recall *density *coverage'
check "with a line for them" prints '^s  '
check "info" gives 0 info full
check "info tells the model" prints '^model *dcgan'
check "--plan" gives 0 "${tiny[@]}" --plan --out planned
check "smoke" gives 0 train --smoke --steps 2 --batch 16 --out smoke

for model in gan lsgan sngan wgan-gp; do
  check "$model" gives 0 "${tiny[@]}" --model $model --out $model
done
check "conditional" gives 0 "${tiny[@]}" --model sngan --conditional --out conditional
check "its labels are looked at" prints '^class_agreement'
check "samples of a class" gives 0 sample conditional --count 6 --label 2 --out labels.npy
check "with their labels" test -s labels-labels.npy
check "samples as a data set" gives 0 sample conditional --count 40 --out labelled
check "a folder for each label" test -d labelled/2
check "samples without labels as a data set" gives 0 sample full --count 250 --out plain
check "trained on" gives 0 train --data ./plain --batch 16 --width 4 --steps 2 --out on-plain
check "measured by pooled pixels" prints '^frechet .*features of pooled pixels'
check "a data set too small to measure by" gives 0 sample full --count 199 --out small
check "is refused" gives 3 train --data ./small --batch 16 --width 4 --steps 2 --out on-small
check "with the number" says 'has 19 test images'
check "before the training" test ! -e on-small
check "too few samples to measure" gives 0 sample full --count 19 --out few.npy
check "are refused" gives 3 eval full --compare few.npy
check "eval of a conditional model" gives 0 eval conditional --quiet
check "a class that is not there" gives 2 sample conditional --label 4
check "a class of an unconditional model" gives 2 sample full --label 1

# --- The grid -------------------------------------------------------------------------------------------------
grid=(train --data grid --batch 32 --steps 4 --validations 2 --width 8)
check "grid" gives 0 "${grid[@]}" --model gan --out grid
check "what points choose is kept" keeps grid 'network = "mlp"' 'latent = 2'
check "modes on stdout" prints '^modes .* of 25'
check "packed" gives 0 "${grid[@]}" --model gan --pack 2 --out packed
check "wgan-gp on the grid" gives 0 "${grid[@]}" --model wgan-gp --out grid-wgan
check "eval of the grid" gives 0 eval grid
check "the truth beside it" prints '^the mixture *25.000 *0.9'
check "a picture of points" gives 0 sample grid --count 100
check "is a PNG" png "$(cat out)"
check "points as an array" gives 0 sample grid --count 100 --out points.npy
check "a smoke run of the grid" gives 0 train --smoke --data grid --plan
check "is short" prints '^steps  *234 '
check "points are no table" gives 2 sample grid --out points.csv
check "the error says what they are" says 'points are written as NAME.png or NAME.npy'
check "no conditional grid" gives 2 "${grid[@]}" --conditional --out never
check "no convolutions of points" gives 2 "${grid[@]}" --network conv --out never
check "no packed penalty" gives 2 "${grid[@]}" --model wgan-gp --pack 2 --out never
check "a batch that packs do not fill" gives 2 "${grid[@]}" --model gan --pack 3 --out never

# --- The same bits --------------------------------------------------------------------------------------------
# Both optimisers, the average, batch-norm statistics and the power iteration go on where they stopped.
again() { # NAME FLAGS...
  local name=$1
  shift
  check "$name: another number of threads" gives 0 "$@" --out "$name-again" --threads 1
  check "$name: the same bits" same_run "$name" "$name-again"
  check "$name: stop after a step" gives 0 "$@" --out "$name-chain" --stop-after 1
  check "$name: resume for a step" gives 0 train --resume "$name-chain" --stop-after 1
  check "$name: resume to the end" gives 0 train --resume "$name-chain"
  check "$name: resumed: the same bits" same_run "$name" "$name-chain"
}
again full "${tiny[@]}" --model dcgan --save-every 1
again conditional "${tiny[@]}" --model sngan --conditional
again wgan-gp "${tiny[@]}" --model wgan-gp
again grid "${grid[@]}" --model gan

# --- Interruption and what goes wrong -------------------------------------------------------------------------
check "Ctrl-C exits 130" interrupted INT 130 train --data grid --steps 100000000 --width 8
check "and tells how to go on" says 'continue with: genera-gan train --resume stopped'
check "an interrupted run goes on" gives 0 train --resume stopped --stop-after 2
check "NaN" gives 4 "${tiny[@]}" --model wgan-gp --lr 1e30 --out nan
check "NaN names the step and the operation" says 'step [0-9]'
check "images of other sizes" gives 3 eval full --compare labels-labels.npy
cp -r full corrupt
printf 'XXXX' | dd of=corrupt/checkpoints/best.safetensors bs=1 seek=6000 conv=notrunc 2>/dev/null
check "a corrupt checkpoint" gives 3 sample corrupt
echo 'conditional = true' >>full/config.toml
check "a run whose settings were changed" gives 3 sample full
finish
