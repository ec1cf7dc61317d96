#!/bin/sh
# Makes the records in zoo/results: trains, evaluates on the test set, and lets the program write what came out. Wants a machine
# that does nothing else; build genera-vae first (zoo/demo.sh does, in build-demo).
#
# Usage: zoo/records.sh [NAME...]      without a NAME: all of them
#   vae-mlp            Fashion-MNIST, mlp, 2 minutes, seeds 0, 1 and 2
#   vae-conv           Fashion-MNIST, conv, 10 minutes
#   vae-static-mnist   static binarised MNIST, conv, 10 minutes; GENERA_DATA must name the folder that holds binarized-mnist
#   gan-grid           the 25-Gaussian grid: best model and plain GAN, 5 minutes, seeds 0, 1 and 2
#   gan-fashion        Fashion-MNIST, conditional sngan, 30 minutes; GENERA_CONV_RUN must name the run folder of vae-conv, whose
#                      samples are measured beside it
set -eu
cd "$(dirname "$0")/.."
vae=${GENERA_VAE:-build-demo/zoo/vae/genera-vae}
gan=${GENERA_GAN:-build-demo/zoo/gan/genera-gan}
runs=runs/records-$(date +%Y%m%d-%H%M%S)
[ $# -gt 0 ] || set -- vae-mlp vae-conv vae-static-mnist gan-grid gan-fashion

# record NAME IWAE-DRAWS -- TRAIN-FLAGS...
record() {
  name=$1
  samples=$2
  shift 3
  "$vae" train "$@" --out "$runs/$name" >/dev/null
  "$vae" eval "$runs/$name" --iwae "$samples" --record "zoo/results/$name.json"
}

# record_gan NAME SAMPLES-TO-COMPARE -- TRAIN-FLAGS...
record_gan() {
  name=$1
  others=$2
  shift 3
  "$gan" train "$@" --out "$runs/$name" >/dev/null
  "$gan" eval "$runs/$name" --compare "$others" --record "zoo/results/$name.json"
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
    gan-grid)
      for seed in 0 1 2; do
        record_gan "gan-grid-best-seed$seed" "" -- --data grid --model gan --time 5m --seed $seed --batch 256 --lr 1e-3 --critic-lr 2e-3 --pack 2
        record_gan "gan-grid-plain-seed$seed" "" -- --data grid --model gan --time 5m --seed $seed --batch 256 --lr 1e-3 --critic-lr 2e-3 --weight-average 0
      done
      ;;
    gan-fashion)
      mkdir -p "$runs"
      "$vae" sample "$GENERA_CONV_RUN" --count 10000 --out "$runs/vae-conv.npy"
      record_gan gan-sngan-fashion-mnist "$runs/vae-conv.npy" -- --data fashion-mnist --model sngan --conditional --time 30m @FM@
      ;;
    *)
      echo "zoo/records.sh: no record is called $wanted" >&2
      exit 2
      ;;
  esac
done
