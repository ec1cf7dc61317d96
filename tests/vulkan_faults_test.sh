#!/usr/bin/env bash
# A program whose device fails in every place in turn: vulkan_faults_test.sh PROGRAM MODULE. Each failure is a typed error with its exit code, and the run goes on
# from its last checkpoint: on Vulkan to the same bits as a run without failure, on the CPU too.
module=$(realpath "$2")
here=$(dirname "$(realpath "$0")")
. "$here/program_checks.sh" "$1"
export GENERA_VULKAN_MODULE=$module GENERA_SHADER_CACHE=$scratch/shaders LP_NUM_THREADS=0

export GENERA_VULKAN_LIMITS=block=512K  # small blocks, so that several are asked for
# of STEPS: what follows trains for so many; `whole` is a run without a failure. The recording of a step is submitted again from the fourth step on.
of() {
  tiny=(train --model mlp --smoke --steps "$1" --save-every 1 --hidden 8 --latent 2 --batch 16 --seed 3 --quiet)
  rm -rf whole reference
  check "a run of $1 steps without a failure" gives 0 "${tiny[@]}" --device vulkan:0 --out whole
  check "on the CPU" gives 0 "${tiny[@]}" --device cpu --out reference
  check "the same loss" close reference whole
}
resumed=(train --quiet --resume)

# intact WHAT: the run in `faulty` goes on from where it was, if it had a checkpoint.
intact() {
  [ -e faulty/checkpoints/last.safetensors ] || return 0
  rm -rf on_cpu
  cp -r faulty on_cpu
  check "$1: resumes on Vulkan" gives 0 "${resumed[@]}" faulty --device vulkan:0
  check "$1: to the bits of the run without a failure" same_bits faulty whole
  check "$1: resumes on the CPU" gives 0 "${resumed[@]}" on_cpu --device cpu
  check "$1: to the same loss" close on_cpu whole
  resumes=$((resumes + 1))
}

# every_place CALL CODE PLACES RESUMED [STEP]: that call fails, from each place on (each STEP-th), until a run meets no failure: in at least PLACES, of which
# RESUMED after a checkpoint.
every_place() {
  local n code places=0
  resumes=0
  for n in $(seq 1 "${5:-1}" 2000); do
    rm -rf faulty
    GENERA_VULKAN_FAULT=$1:$n+ "$program" "${tiny[@]}" --device vulkan:0 --out faulty >out 2>err
    code=$?
    [ "$code" -eq 0 ] && break
    check "$1 $n: exit code $code instead of $2" test "$code" -eq "$2"
    check "$1 $n: one line says why" test "$(wc -l <err)" -eq 1
    intact "$1 $n"
    places=$((places + 1))
  done
  check "$1: only $places places" test "$places" -ge "$3"
  check "$1: a run without a failure at last" test "$code" -eq 0
  check "$1: only $resumes after a checkpoint" test "$resumes" -ge "$4"
  echo "$1 failed in $places places, $resumes runs were resumed"
}

# once CALL CODE: it fails in one place after the other, and then no more: a retry may help, and nothing of the failure stays.
once() {
  local n code
  for n in 1 2 3 4 5 6; do
    rm -rf faulty
    GENERA_VULKAN_FAULT=$1:$n "$program" "${tiny[@]}" --device vulkan:0 --out faulty >out 2>err
    code=$?
    check "$1 $n once: exit code $code instead of $2 or 0" test "$code" -eq "$2" -o "$code" -eq 0
    if [ "$code" -eq 0 ]; then check "$1 $n once: the same bits" same_bits faulty whole; else intact "$1 $n once"; fi
  done
}

of 3
[ "$failed" -eq 0 ] || finish || exit 1
step=9  # every place takes minutes
[ -n "${GENERA_TEST_FULL:-}" ] && step=1
every_place submit 5 8 4 "$step"
every_place wait 5 4 4 $((step * 4))
every_place allocate 6 3 1
once allocate 6
every_place pipeline 6 4 2 11
of 7
every_place resubmit 5 4 4 $(((step + 2) / 3))
every_place wait 5 8 6 $((step * 8))
for text in allocate allocate: allocate:0 allocate:x submit:3- memory:1; do
  GENERA_VULKAN_FAULT=$text check "GENERA_VULKAN_FAULT=$text" gives 1 "${tiny[@]}" --device vulkan:0 --out none
done
finish
