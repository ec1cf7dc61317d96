#!/bin/sh
# Makes the records in zoo/results: trains, evaluates on the test set, and lets the program write what came out. Wants a machine
# that does nothing else; build genera-vae first (zoo/demo.sh does, in build-demo).
#
# Usage: zoo/records.sh [NAME...]      without a NAME: all of them
#   vae-mlp            Fashion-MNIST, mlp, 2 minutes, seeds 0, 1 and 2
#   vae-conv           Fashion-MNIST, conv, 10 minutes
#   vae-static-mnist   static binarised MNIST, conv, 10 minutes; GENERA_DATA must name the folder that holds binarized-mnist
set -eu
cd "$(dirname "$0")/.."
vae=${GENERA_VAE:-build-demo/zoo/vae/genera-vae}
runs=runs/records-$(date +%Y%m%d-%H%M%S)
[ $# -gt 0 ] || set -- vae-mlp vae-conv vae-static-mnist

# record NAME IWAE-DRAWS -- TRAIN-FLAGS...
record() {
  name=$1
  samples=$2
  shift 3
  "$vae" train "$@" --out "$runs/$name" >/dev/null
  "$vae" eval "$runs/$name" --iwae "$samples" --record "zoo/results/$name.json"
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
    *)
      echo "zoo/records.sh: no record is called $wanted" >&2
      exit 2
      ;;
  esac
done
