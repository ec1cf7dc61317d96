#!/bin/sh
# Makes the records in zoo/results: trains, evaluates on the test set, and lets the program write what came out. Wants a machine
# that does nothing else; build genera-vae first (zoo/demo.sh does, in build-demo).
#
# Usage: zoo/records.sh [NAME...]      without a NAME: all of them
#   vae-mlp            Fashion-MNIST, mlp, 2 minutes, seeds 0, 1 and 2
#   vae-conv           Fashion-MNIST, conv, 10 minutes
#   vae-cvae           Fashion-MNIST, given the class, 3 minutes, seeds 0, 1 and 2
#   vae-ladder         Fashion-MNIST, two stochastic layers, 5 minutes
#   vae-vqvae          Fashion-MNIST, codes and their PixelCNN prior, 20 minutes
#   vae-iwae           Fashion-MNIST, mlp trained on the bound of 5 draws, 5 minutes
#   vae-static-mnist   static binarised MNIST, conv, 10 minutes; GENERA_DATA must name the folder that holds binarized-mnist
#   flow-2d            five densities in the plane, spline, 2 minutes each, seeds 0, 1 and 2
#   flow-glow          Fashion-MNIST, glow, 20 minutes
#   flow-glow-hour     the same in an hour
#   rbm-exact          16 hidden units on static binarised MNIST: AIS beside the exact log Z, seeds 0, 1 and 2
#   rbm-2m, rbm-20m    RBM-500 on static binarised MNIST, 2 minutes (seeds 0, 1 and 2) and 20
#   dbm-20m            deep Boltzmann machine 500-1000 on static binarised MNIST, 20 minutes
set -eu
cd "$(dirname "$0")/.."
vae=${GENERA_VAE:-build-demo/zoo/vae/genera-vae}
flow=${GENERA_FLOW:-build-demo/zoo/flow/genera-flow}
boltzmann=${GENERA_BOLTZMANN:-build-demo/zoo/boltzmann/genera-boltzmann}
runs=runs/records-$(date +%Y%m%d-%H%M%S)
[ $# -gt 0 ] || set -- vae-mlp vae-conv vae-cvae vae-ladder vae-vqvae vae-iwae vae-static-mnist flow-2d flow-glow flow-glow-hour rbm-exact rbm-2m rbm-20m dbm-20m

# record NAME IWAE-DRAWS -- TRAIN-FLAGS...
record() {
  name=$1
  samples=$2
  shift 3
  "$vae" train "$@" --out "$runs/$name" >/dev/null
  "$vae" eval "$runs/$name" --iwae "$samples" --record "zoo/results/$name.json"
}

# record_flow NAME -- TRAIN-FLAGS...
record_flow() {
  name=$1
  shift 2
  "$flow" train "$@" --out "$runs/$name" >/dev/null
  "$flow" eval "$runs/$name" --record "zoo/results/$name.json"
}

# record_boltzmann NAME TRAIN-FLAGS...
record_boltzmann() {
  name=$1
  shift
  "$boltzmann" train "$@" --data binarized-mnist --betas 1000 --out "$runs/$name" >/dev/null
  "$boltzmann" eval "$runs/$name" --record "zoo/results/$name.json"
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
    vae-cvae)
      for seed in 0 1 2; do
        record "vae-cvae-fashion-mnist-seed$seed" 0 -- --model cvae --data fashion-mnist --time 3m --seed $seed
      done
      ;;
    vae-ladder)
      record vae-ladder-fashion-mnist 0 -- --model ladder --data fashion-mnist --kl-warmup 1000 --time 5m
      ;;
    vae-vqvae)
      record vae-vqvae-fashion-mnist 0 -- --model vqvae --data fashion-mnist --time 20m
      ;;
    vae-iwae)
      record vae-iwae-fashion-mnist 100 -- --model mlp --data fashion-mnist --iwae-train 5 --time 5m
      ;;
    vae-static-mnist)
      record vae-conv-static-mnist 500 -- --model conv --data binarized-mnist --latent 50 --time 10m
      ;;
    flow-2d)
      for density in 8-gaussians moons rings circles checkerboard; do
        for seed in 0 1 2; do
          record_flow "flow-$density-seed$seed" -- --model spline --data $density --time 2m --seed $seed
        done
      done
      ;;
    flow-glow)
      record_flow flow-glow-fashion-mnist -- --model glow --data fashion-mnist --time 20m
      ;;
    flow-glow-hour)
      record_flow flow-glow-fashion-mnist-hour -- --model glow --data fashion-mnist --time 1h
      ;;
    rbm-exact)
      for seed in 0 1 2; do
        record_boltzmann "rbm-exact-static-mnist-seed$seed" --model rbm --hidden 16 --epochs 10 --seed $seed
      done
      ;;
    rbm-2m)
      for seed in 0 1 2; do
        record_boltzmann "rbm-static-mnist-2m-seed$seed" --model rbm --time 2m --validations 5 --seed $seed
      done
      ;;
    rbm-20m)
      record_boltzmann rbm-static-mnist-20m --model rbm --time 20m
      ;;
    dbm-20m)
      record_boltzmann dbm-static-mnist-20m --model dbm --time 20m
      ;;
    *)
      echo "zoo/records.sh: no record is called $wanted" >&2
      exit 2
      ;;
  esac
done
