#!/usr/bin/env bash
# What programs do where Vulkan is missing or in parts, how they choose a device, their cache of shaders, and genera-doctor:
# vulkan_start_test.sh PROGRAM DOCTOR MODULE LIBRARY STAND_IN OTHER_BUILD
doctor=$(realpath "$2")
module=$(realpath "$3")
library=$(realpath "$4")
stand_in=$(realpath "$5")
other_build=$(realpath "$6")
here=$(dirname "$(realpath "$0")")
. "$here/program_checks.sh" "$1"
export GENERA_VULKAN_MODULE=$module GENERA_SHADER_CACHE=$scratch/shaders LP_NUM_THREADS=0
export VK_LOADER_DRIVERS_SELECT='*lvp*'  # Mesa's driver for the processor alone, whatever else the machine has

tiny=(train --model mlp --smoke --steps 4 --hidden 8 --latent 2 --batch 16 --seed 3)
examines() {
  local wanted=$1 code
  shift
  "$doctor" "$@" >out 2>err
  code=$?
  [ "$code" -eq "$wanted" ] || echo "exit code $code instead of $wanted: genera-doctor $*"
  [ "$code" -eq "$wanted" ]
}
times() { [ "$(grep -c -- "$2" err)" -eq "$1" ]; }

# No Vulkan library at all: the loader's name stands for a file that is none.
mkdir none
touch none/libvulkan.so.1 none/libvulkan.so
check "neither program nor library is linked with Vulkan" without vulkan <(ldd "$program" "$doctor" "$library")
without_loader() { LD_LIBRARY_PATH=$scratch/none "$@"; }
check "no loader: trains on the CPU" without_loader gives 0 "${tiny[@]}" --device cpu --out cpu
check "no loader: auto" without_loader gives 0 "${tiny[@]}" --device auto --out auto
check "no loader: auto is the CPU" says '^device: cpu$'
check "no loader: the same bits" same_bits cpu auto
check "no loader: no Vulkan" without_loader gives 5 "${tiny[@]}" --device vulkan --out not
check "no loader: says what to install" says 'apt-get install libvulkan1'
check "no loader: genera-doctor" without_loader examines 0
check "no loader: genera-doctor says what to install" prints 'apt-get install libvulkan1'
check "no loader: genera-doctor fails if Vulkan is asked for" without_loader examines 5 --device vulkan

no_driver() { VK_DRIVER_FILES=$scratch/none VK_ICD_FILENAMES=$scratch/none "$@"; }
check "no driver: no Vulkan" no_driver gives 5 "${tiny[@]}" --device vulkan --out not
check "no driver: says what to install" says 'mesa-vulkan-drivers'
check "no driver: auto" no_driver gives 0 "${tiny[@]}" --device auto --out auto1
check "no driver: auto is the CPU" says '^device: cpu$'
check "no driver: genera-doctor" no_driver examines 0
check "no driver: genera-doctor says what to install" prints 'mesa-vulkan-drivers'

no_device() { GENERA_VULKAN_FAULT=devices:1+ "$@"; }
check "no device: no Vulkan" no_device gives 5 "${tiny[@]}" --device vulkan --out not
check "no device: says so" says 'no driver has a device'
check "no device: auto" no_device gives 0 "${tiny[@]}" --device auto --out auto2
check "no device: genera-doctor" no_device examines 0
radeon=/usr/share/vulkan/icd.d/radeon_icd.$(uname -m).json
if [ -e "$radeon" ] && [ ! -e /dev/dri ]; then  # the driver of a GPU that is not there
  real_driver() { env -u VK_LOADER_DRIVERS_SELECT VK_DRIVER_FILES="$radeon" VK_ICD_FILENAMES="$radeon" "$@"; }
  check "a driver without a device" real_driver "$program" "${tiny[@]}" --device auto --out auto3 2>err
  check "a driver without a device: auto is the CPU" says '^device: cpu$'
  real_driver "$program" "${tiny[@]}" --device vulkan --out not >out 2>err
  check "a driver without a device: exit code" test $? -eq 5
  check "a driver without a device: says so" says 'no driver has a device'
fi

# GPUs that are there and do not compute: `auto` says why it takes the CPU.
gpus() { GENERA_VULKAN_MODULE=$stand_in STAND_IN_GPUS=$1 "${@:2}"; }
check "no GPU but a driver for the processor" gpus none gives 0 "${tiny[@]}" --device auto --out auto6
check "needs no warning" times 0 warning
check "a GPU with an old driver" gpus old gives 0 "${tiny[@]}" --quiet --device auto --out auto7
check "auto says why it is not used, with --quiet too" times 1 '^warning: computing on the CPU, as Radiant X 100 cannot be used: its driver is for Vulkan 1.1.0$'
check "the same bits as on the CPU" same_bits cpu auto7
check "a GPU that cannot be opened" gpus old,broken gives 0 "${tiny[@]}" --device auto --out auto8
check "auto says why" times 1 '^warning: computing on the CPU, as Radiant X 900 fails: \[vulkan\] vkCreateDevice failed on 2$'
check "once" times 1 warning
check "is the CPU" says '^device: cpu$'
check "genera-doctor fails for it" gpus broken examines 5
check "genera-doctor says what to do" prints 'update its driver'
check "genera-doctor of an old driver" gpus old examines 0
check "says why" prints '^Radiant X 100 cannot be used: its driver'

check "auto is not a driver for the processor" gives 0 "${tiny[@]}" --device auto --out auto4
check "one line says what it is" times 1 '^device: cpu$'
check "and is not there with --quiet" gives 0 "${tiny[@]}" --quiet --device auto --out auto5
check "quiet" times 0 device
check "vulkan takes it" gives 0 "${tiny[@]}" --device vulkan --out vulkan
check "with one warning" times 1 '^warning: no GPU can be used: computing on llvmpipe'
check "vulkan:0" gives 0 "${tiny[@]}" --device vulkan:0 --out number
check "asked for: no warning" times 0 warning
check "vulkan:NAME, in upper case" gives 0 "${tiny[@]}" --device vulkan:LLVMPIPE --out name
check "the same bits" same_bits vulkan name
check "not there" gives 5 "${tiny[@]}" --device vulkan:7 --out not
check "says what is" says 'there is no device 7; there are: vulkan:0 (llvmpipe'
check "a name that is empty" gives 2 "${tiny[@]}" --device vulkan: --out not
check "genera-doctor: a name that is empty" examines 2 --device vulkan:
check "the manifest names the device" grep -q '"device": "llvmpipe' vulkan/manifest.json

check "stops on Vulkan" gives 0 "${tiny[@]}" --device vulkan:0 --stop-after 2 --out moved
check "goes on there" gives 0 train --resume moved --stop-after 1
check "without a warning" times 0 warning
check "goes on on the CPU" gives 0 train --resume moved --device cpu
check "with a warning" times 1 '^warning: the run was computed on llvmpipe.* and goes on on cpu'
check "the manifest names both" grep -q '"device": "llvmpipe.*, then cpu"' moved/manifest.json
check "again" gives 0 train --resume moved --device cpu
check "needs no warning" times 0 warning

check "--plan" gives 0 "${tiny[@]}" --device vulkan:0 --plan
check "counts the device's memory" prints 'and [1-9][0-9]* MB on llvmpipe'
check "--plan on the CPU" gives 0 "${tiny[@]}" --device cpu --plan
check "has none to count" without ' MB on ' out

# The cache of shaders.
listed() { ls -i "$scratch/shaders"; }
listed >before
check "a warm start" gives 0 "${tiny[@]}" --device vulkan:0 --out warm
check "compiles nothing" diff before <(listed)
for file in "$scratch"/shaders/*; do printf x | dd of="$file" bs=1 seek=60 conv=notrunc status=none; done
check "a damaged cache" gives 0 "${tiny[@]}" --device vulkan:0 --out damaged
check "gives one warning" times 1 '^warning: the shader cache in .* has damaged files'
check "the same bits" same_bits vulkan damaged
check "is made again" test "$(listed | wc -l)" -eq "$(wc -l <before)"
check "and is sound" gives 0 "${tiny[@]}" --device vulkan:0 --out sound
check "no warning" times 0 warning
rm -rf "$scratch/shaders"
runs=()
for i in 1 2 3 4; do
  "$program" "${tiny[@]}" --device vulkan:0 --out "at_once$i" >"out$i" 2>"err$i" &
  runs+=($!)
done
for i in 1 2 3 4; do
  check "four processes with one cache: $i" wait "${runs[$((i - 1))]}"
  check "the same bits" same_bits vulkan "at_once$i"
  check "no warning" without warning "err$i"
done
check "one file a shader" test "$(listed | wc -l)" -eq "$(wc -l <before)"
listed >before
check "a warm start after that" gives 0 "${tiny[@]}" --device vulkan:0 --out warm2
check "compiles nothing" diff before <(listed)

# What docs/vulkan.md shows to the owner of a GPU, but for fewer steps.
mkdir bin
ln -s "$doctor" "$program" bin
awk '/^```sh$/ { inside = 1; next } /^```$/ { exit } inside' "$here/../docs/vulkan.md" | sed 's/--time 1m/--smoke --steps 4/' >commands
check "the page has commands" test "$(wc -l <commands)" -ge 3
check "they run" env PATH="$PWD/bin:$PATH" bash -e commands >out 2>err
check "and leave a picture" test -s runs/gpu/samples.png

# genera-doctor.
right() { [ "$(grep -c ' right ' out)" -eq "$1" ]; }
check "genera-doctor" examines 0
check "five right answers of the CPU and of the device" right 10
check "says the instruction set" prints 'simd  '
check "says the BLAS" prints 'OpenBLAS'
check "says limits" prints 'binding_bytes'
check "names the device" prints '^vulkan:0: llvmpipe'
check "genera-doctor --report" examines 0 --report
report() { python3 -c "import json; r = json.load(open('out')); d = r['devices']; assert $1, json.dumps(r, indent=1)"; }
check "is JSON of both devices" report "[x['device'] for x in d] == ['cpu', 'vulkan:0']"
check "with answers" report "all(a['right'] for x in d for a in x['answers']) and len(d[1]['answers']) == 5"
check "a second start compiled nothing" report "d[1]['counters']['shaders_compiled'] == '0' and int(d[1]['counters']['pipelines']) > 5"
GENERA_VULKAN_LIMITS=shared=16K,invocations=128,groups=3,binding=1M,block=2M,heap=64M,no-bytes,no-half-words check "a poorer device" examines 0 --report
check "has the limits that are asked for" report "[d[1][k] for k in ('shared_bytes', 'invocations', 'groups', 'binding_bytes', 'block_bytes', 'heap_bytes', 'stores_8_bit', 'stores_16_bit')] == ['16384', '128', '3', '1048576', '2097152', '67108864', 'false', 'false']"
check "and the advice on small types" report "any('cannot store elements of 8 bits' in a for a in r['advice'])"
check "and is right" report "all(a['right'] for x in d for a in x['answers']) and len(d[1]['answers']) == 5"
GENERA_VULKAN_LIMITS=shared=1024M,invocations=1M,heap=999999M check "no richer device" examines 0 --report
check "limits only go down" report "int(d[1]['shared_bytes']) < 1 << 30 and int(d[1]['invocations']) < 1 << 20 and int(d[1]['heap_bytes']) < 999999 << 20"
check "a report again" examines 0 --report
check "no advice on small types" without '8 bits' out
check "names no host" test -z "$(grep -w -- "$(uname -n)" out)"
check "no folder" without "$scratch" out
GENERA_VULKAN_MODULE=$scratch/missing.so check "a build without the module" examines 0 --report
check "says so" prints 'this build has no Vulkan backend'
check "no folder" without "$scratch" out
GENERA_VULKAN_MODULE=$scratch/none/libvulkan.so check "a module that cannot be loaded" examines 0 --report
check "says so" prints 'the Vulkan backend cannot be loaded: libgenera-vulkan.so: file too short'
check "no folder" without "$scratch" out
other_build() { GENERA_VULKAN_MODULE=$other_build "$@"; }
check "a module of another build" other_build gives 5 "${tiny[@]}" --device vulkan --out not
check "says so" says 'libgenera-vulkan.so is of another build than the library: build, or install, both'
check "auto is the CPU" other_build gives 0 "${tiny[@]}" --device auto --out auto9
check "genera-doctor" other_build examines 0
check "says so too" prints 'is of another build'
check "the device that vulkan takes" examines 0 --device vulkan
check "is named" prints '^vulkan: llvmpipe'
check "with its limits" prints 'binding_bytes'
check "one device" examines 0 --device cpu
check "its answers" right 5
GENERA_VULKAN_FAULT=submit:2+ check "a device that fails" examines 5
check "the CPU's answers are right all the same" right 5
check "says what to do" prints 'update its driver'
GENERA_VULKAN_FAULT=allocate:2 check "no memory, once" examines 5
check "costs one answer" right 9
GENERA_VULKAN_FAULT=allocate:2+ check "no memory from then on" examines 5
check "costs them all" right 5
GENERA_VULKAN_LIMITS=binding=1K check "a device that is too small" examines 5 --device vulkan:0
check "there is no such device" examines 5 --device vulkan:9
check "which no driver mends" without 'update its driver' out
check "a slip" examines 2 --reprot
check "did you mean" says 'did you mean --report?'
check "no such kind of device" examines 2 --device abacus
check "help" examines 0 --help
finish
