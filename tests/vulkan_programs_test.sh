#!/usr/bin/env bash
# A program on a Vulkan device, and what it says where there is none: vulkan_programs_test.sh PROGRAM MODULE, with genera-vae and libgenera-vulkan.so.
module=$(realpath "$2")
here=$(dirname "$(realpath "$0")")
. "$here/program_checks.sh" "$1"
export GENERA_VULKAN_MODULE=$module GENERA_SHADER_CACHE=$scratch/shaders LP_NUM_THREADS=0

tiny=(train --model mlp --smoke --steps 6 --hidden 8 --latent 2 --batch 16 --seed 3 --quiet)

check "trains on the CPU" gives 0 "${tiny[@]}" --device cpu --out cpu
check "trains on Vulkan" gives 0 "${tiny[@]}" --device vulkan --out vulkan
check "the same losses" close cpu vulkan
check "shaders are kept" test -n "$(ls "$scratch/shaders" 2>/dev/null)"
for file in "$scratch"/shaders/*; do echo junk >"$file"; done
check "a corrupt cache is only slower" gives 0 "${tiny[@]}" --device vulkan --out again
check "the same bits" same_bits vulkan again
GENERA_VULKAN_LIMITS=barrier-always check "a barrier before everything" gives 0 "${tiny[@]}" --device vulkan --out barriers
check "changes no bit" same_bits vulkan barriers
GENERA_VULKAN_LIMITS=segment=40K,groups=2 check "many submissions, few workgroups" gives 0 "${tiny[@]}" --device vulkan --out segments
check "change no bit" same_bits vulkan segments
GENERA_VULKAN_MODULE=nowhere check "no module" gives 5 "${tiny[@]}" --device vulkan --out none
check "it says what to install" says 'libvulkan-dev'
check "no such device number" gives 5 "${tiny[@]}" --device vulkan:99 --out none
check "no such device name" gives 5 "${tiny[@]}" --device vulkan:abacus --out none
VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent check "no driver" gives 5 "${tiny[@]}" --device vulkan --out none
check "it says what to install" says 'mesa-vulkan-drivers'
GENERA_VULKAN_LIMITS=heap=64K check "too little memory" gives 6 "${tiny[@]}" --device vulkan --out none
GENERA_VULKAN_LIMITS=binding=256 check "a tensor larger than a binding" gives 5 "${tiny[@]}" --device vulkan --out none
check "it names the tensor" says 'shaders see at most 256 bytes'
GENERA_VULKAN_LIMITS=speed=9 check "an unknown limit" gives 1 "${tiny[@]}" --device vulkan --out none
GENERA_VULKAN_FAULT=allocate:1 check "the driver has no memory" gives 6 "${tiny[@]}" --device vulkan --out none
GENERA_VULKAN_FAULT=submit:9 check "the device is lost" gives 5 "${tiny[@]}" --device vulkan --out lost
check "it says so" says 'was lost'
finish
