#!/usr/bin/env bash
# A program that ends while its device still computes ends well, whenever that is: vulkan_exit_test.sh PROGRAM MODULE
module=$(realpath "$2")
here=$(dirname "$(realpath "$0")")
. "$here/program_checks.sh" "$1"
export GENERA_VULKAN_MODULE=$module GENERA_SHADER_CACHE=$scratch/shaders
for run in $(seq 8); do
  for size in 40 80 120 160 200 240; do
    check "run $run, $size x $size" timeout 60 "$program" "$size"
  done
done
finish
