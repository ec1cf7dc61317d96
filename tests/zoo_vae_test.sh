#!/usr/bin/env bash
# genera-vae as its users meet it: every verb, resuming, interruption, and everything that goes wrong.
# Usage: zoo_vae_test.sh PATH/TO/genera-vae
demo=$(realpath "$(dirname "$0")/../zoo/demo.sh")
source "$(dirname "$0")/program_checks.sh"
no_control_bytes() { ! LC_ALL=C grep -q -P '[\x00-\x09\x0b-\x1f\x7f]' "$1"; }

# A tiny run: a few generated images, 8 steps. best is validated at steps 2, 4, 6 and 8.
tiny=(train --smoke --steps 8 --validations 4 --hidden 24 --latent 4)

# --- The whole path -------------------------------------------------------------------------------------------
check "train" gives 0 "${tiny[@]}" --out full --save-every 1
if [ "$failed" -gt 0 ]; then
  cat err
  echo "test cases: 1 | 0 passed | 1 failed"
  exit 1
fi
check "results on stdout" prints '^negative_elbo .* nats .*standard error'
check "no progress on stdout" without 'step' out
check "no control bytes in a piped log" no_control_bytes err
for file in config.toml manifest.json metrics.jsonl loss.svg summary.json report.html checkpoints/last.safetensors \
            checkpoints/best.safetensors; do
  check "the run has $file" test -s "full/$file"
done
check "the report has the final figures" grep -q '<td>negative_elbo</td>' full/report.html
check "the report has pictures" grep -q 'data:image/png;base64,' full/report.html
check "the report has no path" without "$scratch" full/report.html
check "samples from fixed noise" png full/samples/step_0000008.png
check "config.toml is resolved" grep -q '^batch = 128$' full/config.toml
check "the manifest has the data's digest" grep -q '"digest": "[0-9a-f]\{32\}' full/manifest.json
check "the summary has standard errors" grep -q '"standard_error"' full/summary.json

check "sample" gives 0 sample full --count 9
check "sample writes a PNG and says where" png "$(cat out)"
check "sample --draws" gives 0 sample full --count 9 --draws --out draws.png
check "reconstruct" gives 0 reconstruct full --count 6 --out r.png
check "reconstruct writes a PNG" png r.png
check "interpolate" gives 0 interpolate full --count 2 --steps 4 --path linear --out i.png
check "interpolate writes a PNG" png i.png
check "pictures carry their recipe" grep -q -a '&& genera-vae interpolate RUN --count 2 --steps 4' i.png
check "the recipe has the run's flags" grep -q -a 'train --steps 8 .*--hidden 24 .*--out RUN &&' i.png
check "a run's own samples carry theirs" \
  grep -q -a 'train --steps 8 .*--out RUN  # its samples of step 8' full/samples/step_0000008.png
check "pictures are reproducible" gives 0 sample full --count 9 --out again.png
check "pictures are the same bytes" cmp -s full/samples.png again.png
check "samples as an array" gives 0 sample full --count 9 --out s.npy
check "an array" test "$(head -c 6 s.npy | tail -c 5)" = NUMPY
check "samples as a folder" gives 0 sample full --count 40 --out folder
check "a model trains on it" gives 0 train --data ./folder --batch 8 --hidden 8 --latent 2 --steps 2 --out on-samples
check "eval" gives 0 eval full --iwae 7 --json
check "eval --json prints the bounds" prints '"iwae"'
check "eval --record" gives 0 eval full --record record.json
check "the record has its origin" grep -q '"command": "genera-vae train --steps 8' record.json
check "the record has no path" without "$scratch" record.json
check "score" gives 0 score full --out s.csv
check "a log-likelihood for each of the 128 test images" test "$(grep -c '^[0-9]*,-[0-9.]*$' s.csv)" = 128
check "a bound that is named" grep -q '^index,elbo$' s.csv
mean=$(awk -F, 'NR > 1 { total += $2 } END { printf "%.3f", total / (NR - 1) }' s.csv)
check "their mean is eval's figure" bash -c '"$0" eval full >out 2>err && grep -q "^elbo  *$1 " out' "$program" "$mean"
check "score by IWAE, as an array" gives 0 score full --iwae 2 --out scores.npy
check "an array of scores" test "$(head -c 6 scores.npy | tail -c 5)" = NUMPY
check "info" gives 0 info full
check "info tells the model" prints '^model *mlp'
check "info --json" gives 0 info full --json
check "its numbers are numbers" prints '"step": [0-9]'
check "eval of one checkpoint" gives 0 eval full/checkpoints/last.safetensors --quiet
check "--quiet prints no log" test ! -s err
check "help" gives 0 train --help
check "the model's flags come first" bash -c 'grep -n "^Flags" out | cut -d: -f2 | head -1 | grep -qx Flags'
check "no line is longer than the page" bash -c '! grep -q "^.\{101\}" out'
check "help of a reader" gives 0 sample --help
check "what must be given has no brackets" prints '^Usage: genera-vae sample RUN \[FLAGS\]$'
check "help of the program" gives 0 --help
check "it says how to begin" prints '^  genera-vae train --time 1m'
check "no such verb" gives 2 help
check "there are others" says 'train, sample'
check "a flag without its value" gives 2 train --out
check "needs one" says '--out needs a value'
check "a picture of another kind" gives 2 sample full --out picture.jpg
check "is none of ours" says 'NAME.png'
check "nothing is written" test ! -e picture.jpg
check "--version" gives 0 --version
check "--plan" gives 0 "${tiny[@]}" --plan --out planned
check "--plan prints the parameters" prints '^parameters *[0-9]'
check "--plan makes no folder" test ! -e planned
check "conv" gives 0 train --smoke --model conv --width 4 --hidden 16 --steps 2 --batch 32 --out conv
check "logistic" gives 0 train --smoke --likelihood logistic --steps 2 --out logistic
check "logistic gives bits" prints '^bits_per_dim'
check "cvae" gives 0 train --smoke --model cvae --hidden 16 --steps 2 --out cvae
check "cvae: eval asks a classifier" bash -c 'XDG_CACHE_HOME=$PWD/cache "$0" eval cvae --quiet >out 2>err' "$program"
check "how many classes it sees" prints '^class_agreement .* in the eyes of the classifier'
check "its classes, each in turn" gives 0 sample cvae --count 8
check "a class, with its labels" gives 0 sample cvae --label 2 --count 6 --out two.npy
check "the labels are there" test -s two-labels.npy
check "no labels to test with" bash -c 'mkdir labelled && cd labelled &&
  { printf "\0\0\x08\x03\0\0\0\x28\0\0\0\x08\0\0\0\x08"; head -c 2560 /dev/zero; } >train-images-idx3-ubyte &&
  cp train-images-idx3-ubyte t10k-images-idx3-ubyte &&
  { printf "\0\0\x08\x01\0\0\0\x28"; head -c 40 /dev/zero; } >train-labels-idx1-ubyte'
check "are missed" gives 3 train --data ./labelled --model cvae --hidden 8 --batch 8 --steps 1 --out unlabelled
check "they are named" says 'wants images with labels below 1: '
check "a class that is not there" gives 2 sample cvae --label 4
check "it says which are" says '0 to 3'
check "a class of a model without" gives 2 sample full --label 0
check "reconstruct with labels" gives 0 reconstruct cvae --count 4 --out r.png
check "ladder" gives 0 train --smoke --model ladder --layers 3 --latent 8 --hidden 16 --steps 4 --stop-after 2 --out ladder
check "ladder goes on" gives 0 train --resume ladder
check "ladder at once" gives 0 train --smoke --model ladder --layers 3 --latent 8 --hidden 16 --steps 4 --out ladder2
check "the same bits" same_bits ladder ladder2
check "its bounds" gives 0 eval ladder --iwae 3
vqvae=(train --smoke --model vqvae --width 4 --hidden 4 --codes 16 --latent 4 --layers 2 --steps 4 --validations 2)
check "vqvae" gives 0 "${vqvae[@]}" --out vqvae --threads 1
check "its prior is part of the bound" prints '^kl .*under the prior'
check "vqvae: layers that follow from the images" gives 0 train --smoke --model vqvae --width 4 --hidden 4 --steps 1 --out vqvae-own
check "are kept" keeps vqvae-own 'layers = 6' 'latent = 32'
check "vqvae, a part" gives 0 "${vqvae[@]}" --out vqvae2 --stop-after 2
check "vqvae, the rest" gives 0 train --resume vqvae2
check "codebook and prior have the same bits" same_bits vqvae vqvae2
check "samples from the prior" gives 0 sample vqvae --count 4
check "vqvae: interpolate" gives 0 interpolate vqvae --count 1 --steps 2 --out i.png
check "training on the IWAE bound" gives 0 train --smoke --iwae-train 3 --hidden 16 --steps 4 --stop-after 2 --out iwae
check "it goes on" gives 0 train --resume iwae
check "at once" gives 0 train --smoke --iwae-train 3 --hidden 16 --steps 4 --out iwae2
check "the same bits" same_bits iwae iwae2
check "no weights on a KL that is not there" gives 2 train --smoke --iwae-train 3 --beta 2 --out never
check "dynamic, warm-up, clipping, no average" gives 0 "${tiny[@]}" --binarize dynamic --kl-warmup 4 \
  --beta 2 --clip 1 --lr-warmup 2 --weight-average 0 --schedule constant --out options

# --- The same bits --------------------------------------------------------------------------------------------
for threads in 1 2 3 4; do
  check "a run is repeated on $threads threads" gives 0 "${tiny[@]}" --out "repeated$threads" --threads "$threads"
  check "the same bits for $threads threads" same_bits full "repeated$threads"
done
check "stop after a step" gives 0 "${tiny[@]}" --out chain --stop-after 1
check "a stop tells how to go on" says '--resume chain'
for step in 2 3 4 5 6 7; do
  check "resume for step $step" gives 0 train --resume chain --stop-after 1
done
check "resume to the end" gives 0 train --resume chain
check "resumed at every step: the same bits" same_bits full chain
check "resumed at every step: the same log" same_log full chain
check "resumed at every step: the same samples" \
  cmp -s full/samples/step_0000008.png chain/samples/step_0000008.png
check "resume of a finished run" gives 0 train --resume full
check "which says that nothing is left to train" says 'all 8 steps are done already'
check "it still has its bits" same_bits full chain
check "a result cannot be resumed" gives 3 train --resume full/checkpoints/best.safetensors
check "the run can" says 'resume its run folder'
check "resume keeps its settings" gives 2 train --resume chain --lr 1
check "--time" gives 0 train --smoke --time 1s --hidden 24 --out timed --quiet
check "--time becomes --steps" grep -q '^steps = [0-9]*$' timed/config.toml
check "--time is gone" without '^time' timed/config.toml
check "--config" gives 0 train --config timed/config.toml --out timed-again --quiet
check "a timed run is repeated bit for bit" same_bits timed timed-again
check "a run of which nothing is said" gives 0 train --smoke --stop-after 1 --out own
check "keeps what the model chose" keeps own 'latent = 20' 'hidden = 400' 'epochs = 5'
check "environment" bash -c 'GENERA_STEPS=3 "$0" train --smoke --plan --json >out 2>err' "$program"
check "environment before default" prints '"steps": 3'
check "a flag before the environment of its group" \
  bash -c 'GENERA_STEPS=3 "$0" train --smoke --epochs 2 --plan --json >out 2>err' "$program"
check "two epochs, not 3 steps" prints '"steps": 8'
check "part of a run" gives 0 "${tiny[@]}" --out environment --stop-after 3
check "its rest, with other settings in the environment" \
  bash -c 'GENERA_STEPS=3 GENERA_BATCH=7 GENERA_OUT=other "$0" train --resume environment >out 2>err' "$program"
check "resumed: its own length and settings" same_bits full environment
check "a bad variable" bash -c 'GENERA_THREADS=many "$0" info full >out 2>err; [ $? -eq 2 ]' "$program"
check "it is named" says 'GENERA_THREADS'
check "a misspelt variable" bash -c 'GENERA_THREDS=2 "$0" info full >out 2>err' "$program"
check "a warning with the nearest" says 'did you mean GENERA_THREADS'

# --- Data in a folder -----------------------------------------------------------------------------------------
# images FILE COUNT: an IDX file of random images of 8x8.
images() {
  {
    printf '\0\0\x08\x03\0\0\0'"\\x$(printf %x "$2")"'\0\0\0\x08\0\0\0\x08'
    head -c $(($2 * 64)) /dev/urandom
  } >"$1"
}
mkdir 'my data' elsewhere
images 'my data/train-images-idx3-ubyte' 40
images 'my data/t10k-images-idx3-ubyte' 20
gzip 'my data/t10k-images-idx3-ubyte'
small=(train --data './my data' --batch 8 --hidden 8 --latent 2 --steps 4)
check "a relative path to data" gives 0 "${small[@]}" --out 'my run' --stop-after 2
check "the resume command is quoted" says "--resume 'my run'"
mkdir slivers
{
  printf '\0\0\x08\x03\0\0\0\x28\0\0\0\x08\0\0\0\x01'
  head -c 320 /dev/zero
} | tee slivers/train-images-idx3-ubyte >slivers/t10k-images-idx3-ubyte
check "images that are too narrow for convolutions" gives 2 train --data ./slivers --model conv --batch 8 --out never
check "it says why" says 'multiples of 4'
cp -r 'my data' $'data\xff'
check "a folder whose name is no UTF-8" gives 0 train --data $'./data\xff' --batch 8 --hidden 8 --steps 2 --out $'run\xff'
check "is in a picture's recipe" gives 0 sample $'run\xff' --count 4 --out odd.png
check "as bash writes it" grep -q -a -F "data\xff'" odd.png
check "resumed from another folder" bash -c 'cd elsewhere && "$0" train --resume "../my run" >out 2>err' "$program"
check "evaluated from another folder" bash -c 'cd elsewhere && "$0" eval "../my run" --record r.json >out 2>err' "$program"
check "the record has the data's name only" without "$scratch" elsewhere/r.json
check "so have pictures" gives 0 sample 'my run' --count 4 --out named.png
check "no path in a picture" without "$scratch" named.png
cp 'my data/t10k-images-idx3-ubyte.gz' whole.gz
truncate -s 700 'my data/t10k-images-idx3-ubyte.gz'
check "a damaged test set is seen before the training" gives 3 "${small[@]}" --out never
check "the file is named" says 't10k-images-idx3-ubyte.gz'
check "no folder for the run" test ! -e never
# Random bytes do not shrink: one in the middle can be changed without a trace in length and header.
cp whole.gz 'my data/t10k-images-idx3-ubyte.gz'
printf 'XXXX' | dd of='my data/t10k-images-idx3-ubyte.gz' bs=1 seek=600 conv=notrunc 2>/dev/null
check "a test set whose damage is seen at the end" gives 3 "${small[@]}" --out late
check "the run is saved, and this finishes it" says 'saved in late.*genera-vae eval late'
cp whole.gz 'my data/t10k-images-idx3-ubyte.gz'
check "it does" gives 0 eval late

# --- Interruption ---------------------------------------------------------------------------------------------
check "SIGTERM exits 143" interrupted TERM 143 train --smoke --steps 100000000 --hidden 24
check "Ctrl-C exits 130" interrupted INT 130 train --smoke --steps 100000000 --hidden 24
check "Ctrl-C tells how to go on" says 'continue with: genera-vae train --resume stopped'
check "nobody to read the log: trained all the same" \
  bash -c '"$0" train --smoke --steps 8 --validations 4 --hidden 24 --latent 4 --out unheard >out 2>&-' "$program"
check "an unheard run has the bits of any other" same_bits full unheard
check "a log that cannot be written does not hide the exit code" \
  bash -c '"$0" --bogus 2>/dev/full; [ $? -eq 2 ]' "$program"
check "SIGHUP exits 129" interrupted HUP 129 train --smoke --steps 100000000 --hidden 24
check "nobody reads the log any more: trained all the same" \
  bash -c '"$0" train --smoke --steps 8 --validations 4 --hidden 24 --latent 4 --out piped 2>&1 >out | true
  [ "${PIPESTATUS[0]}" -eq 0 ]' "$program"
check "it has the bits of any other" same_bits full piped
check "one process at a time trains in a folder" \
  bash -c 'flock stopped "$0" train --resume stopped >out 2>err; [ $? -eq 1 ] && grep -q "another process" err' "$program"
check "an interrupted run goes on" gives 0 train --resume stopped --stop-after 2

# --- What goes wrong ------------------------------------------------------------------------------------------
check "unknown flag" gives 2 train --bacth 3
check "did you mean" says 'did you mean --batch'
check "resume of nothing" gives 2 train --resume ''
check "an endless configuration" gives 2 train --config /dev/zero
check "unknown verb" gives 2 trian
check "no verb" gives 2
check "bad number" gives 2 train --batch 0
check "bad duration" gives 2 train --smoke --time soon --out bad-time
check "no folder for it" test ! -e bad-time
echo 'bacth = 3' >bad.toml
check "unknown key" gives 2 train --config bad.toml
check "unknown key: did you mean" says 'did you mean batch'
check "a batch larger than the data" gives 2 train --smoke --batch 100000
check "missing data" gives 3 train --data no-such-data
check "an existing run folder" gives 2 "${tiny[@]}" --out full
check "it is not overwritten" says 'never overwritten'
check "--plan warns of it" gives 0 "${tiny[@]}" --plan --out full
check "the warning names it" says '^warning: full is there already'
check "logistic of two levels" gives 2 train --smoke --likelihood logistic --binarize dynamic --out both
check "it says why" says '256 grey levels'
check "misspelt data" gives 3 train --data fashoin-mnist
check "misspelt data: did you mean" says 'did you mean fashion-mnist'
check "a folder that cannot be made" gives 7 "${tiny[@]}" --out /dev/null/run
check "no such run" gives 3 eval nowhere
check "a folder that is no run" gives 3 eval .
GENERA_VULKAN_MODULE=nowhere check "no Vulkan module" gives 5 train --smoke --device vulkan
check "no such device" gives 2 train --smoke --device abacus
check "NaN" gives 4 train --smoke --steps 8 --lr 1e30 --out nan
check "NaN names the step and the operation" says '\(en\|de\)coder.* step [0-9]'
check "output to a full device" bash -c '"$0" info full >/dev/full 2>err; [ $? -eq 7 ]' "$program"

cp -r full corrupt
printf 'XXXX' | dd of=corrupt/checkpoints/best.safetensors bs=1 seek=6000 conv=notrunc 2>/dev/null
printf 'XXXX' | dd of=corrupt/checkpoints/last.safetensors bs=1 seek=6000 conv=notrunc 2>/dev/null
check "a corrupt checkpoint" gives 3 eval corrupt
check "it is named" says 'best.safetensors'
check "a corrupt checkpoint is not resumed" gives 3 train --resume corrupt
check "the previous one is offered" says 'last.safetensors.prev'
cp full/checkpoints/best.safetensors corrupt/checkpoints/best.safetensors
check "the previous one works" gives 0 train --resume corrupt/checkpoints/last.safetensors.prev
check "and ends with the same bits" same_bits full corrupt
truncate -s 5000 corrupt/checkpoints/best.safetensors
check "a truncated checkpoint" gives 3 sample corrupt
rm corrupt/checkpoints/*
cp full/checkpoints/best.safetensors corrupt/checkpoints/
check "only the result was saved" gives 3 train --resume corrupt
check "it is told what can be done" says 'train anew in another folder'
rm corrupt/checkpoints/*
check "a missing checkpoint" gives 3 sample corrupt
check "a run that saved nothing begins anew" gives 0 train --resume corrupt
check "it says so" says 'begins anew'
check "the same bits and log as at once" same_run full corrupt
echo 'nonsense' >corrupt/config.toml
check "a damaged config.toml" gives 3 eval corrupt

for time in '../..' '2m; ls' '' -q soon; do
  check "demo.sh refuses '$time'" bash -c '"$0" "$1" >out 2>err; [ $? -eq 2 ]' "$demo" "$time"
done
check "demo.sh takes one argument" bash -c '"$0" 2m 3m >out 2>err; [ $? -eq 2 ]' "$demo"
check "demo.sh says how it is used" says '^usage'
check "demo.sh --help" bash -c '"$0" --help >out' "$demo"

# A limit on the size of files stands in for a full disk: the small files are written, the checkpoints are not.
(
  ulimit -f 64
  "$program" "${tiny[@]}" --hidden 100 --out limited >out 2>err
)
check "full disk: exit 7" test $? -eq 7
check "full disk: the result is there" prints '^negative_elbo'
check "full disk: a warning" says '^warning:'
(
  ulimit -f 64
  "$program" "${tiny[@]}" --hidden 100 --out cut --stop-after 2 >out 2>err
)
check "full disk, stopped: exit 7" test $? -eq 7
check "full disk, stopped: the test set stays closed" test ! -e cut/summary.json
check "full disk: no temporary files" test -z "$(ls -A limited/checkpoints)"

finish
