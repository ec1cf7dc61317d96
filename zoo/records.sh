#!/bin/sh
# Makes the records in zoo/results: trains, evaluates on the test set, and lets the program write what came out. Wants a machine
# that does nothing else; build genera-vae first (zoo/demo.sh does, in build-demo).
#
# Usage: zoo/records.sh [NAME...]      without a NAME: all of them
#   vae-mlp            Fashion-MNIST, mlp, 2 minutes, seeds 0, 1 and 2
#   vae-conv           Fashion-MNIST, conv, 10 minutes
#   vae-static-mnist   static binarised MNIST, conv, 10 minutes; GENERA_DATA must name the folder that holds binarized-mnist
#   text-ngram         tiny Shakespeare, Kneser-Ney 6-grams with one and three discounts; GENERA_DATA as below
#   text-gpt-3m        tiny Shakespeare, gpt, 3 minutes, seeds 0, 1 and 2; GENERA_DATA must name the folder that holds
#                      tinyshakespeare.txt, or text/tinyshakespeare.txt
#   text-gpt-20m, text-gpt-1h, text-lstm-20m    likewise, 20 minutes, an hour, 20 minutes
set -eu
cd "$(dirname "$0")/.."
vae=${GENERA_VAE:-build-demo/zoo/vae/genera-vae}
runs=runs/records-$(date +%Y%m%d-%H%M%S)
text=${GENERA_TEXT:-build-demo/zoo/text/genera-text}
[ $# -gt 0 ] || set -- vae-mlp vae-conv vae-static-mnist text-ngram text-gpt-3m text-gpt-20m text-gpt-1h text-lstm-20m

# record NAME IWAE-DRAWS -- TRAIN-FLAGS...
record() {
  name=$1
  samples=$2
  shift 3
  "$vae" train "$@" --out "$runs/$name" >/dev/null
  "$vae" eval "$runs/$name" --iwae "$samples" --record "zoo/results/$name.json"
}

# text_record NAME TRAIN-FLAGS...
text_record() {
  name=$1
  shift
  "$text" train --data tinyshakespeare "$@" --out "$runs/$name" >/dev/null
  "$text" eval "$runs/$name" --record "zoo/results/$name.json"
}

for wanted; do
  case $wanted in
    vae-mlp)
      for seed in 0 1 2; do
        record "vae-mlp-fashion-mnist-seed$seed" 0 -- --model mlp --data fashion-mnist --time 2m --seed $seed
      done
      ;;
    vae-conv)
      record vae-conv-fashion-mnist 0 -- --model conv --data fashion-mnist --time 10m
      ;;
    vae-static-mnist)
      record vae-conv-static-mnist 500 -- --model conv --data binarized-mnist --latent 50 --time 10m
      ;;
    text-ngram)
      text_record text-ngram-one --model ngram --order 6 --discounts one
      text_record text-ngram-three --model ngram --order 6
      ;;
    text-gpt-3m)
      for seed in 0 1 2; do
        text_record text-gpt-3m-seed$seed --model gpt --context 128 --batch 16 --validations 6 --time 3m --seed $seed
      done
      ;;
    text-gpt-20m)
      text_record text-gpt-20m --model gpt --layers 6 --width 192 --heads 6 --context 256 --batch 16 --dropout 0.1 \
        --lr 2e-3 --time 20m
      ;;
    text-gpt-1h)
      text_record text-gpt-1h --model gpt --layers 6 --width 192 --heads 6 --context 256 --batch 16 --dropout 0.2 \
        --lr 2e-3 --time 1h
      ;;
    text-lstm-20m)
      text_record text-lstm-20m --model lstm --layers 2 --width 384 --dropout 0.2 --time 20m
      ;;
    *)
      echo "zoo/records.sh: no record is called $wanted" >&2
      exit 2
      ;;
  esac
done
