#!/bin/sh
# Makes the records in zoo/results: trains, evaluates on the test set, and lets the program write what came out. The last samples
# of the first seed are kept beside it. Wants a machine that does nothing else, the programs built (zoo/demo.sh builds them, in
# build-demo), and a commit: a record names it. python3 zoo/figures.py then writes the table in zoo/README.md.
#
# Usage: zoo/records.sh [--list] [NAME...]      NAME: the beginning of a record's name; without one: all of them
#
# GENERA_DATA must name the folder that holds binarized-mnist and text/tinyshakespeare.txt for the records that are made of these.
set -eu
cd "$(dirname "$0")/.."
zoo=${GENERA_ZOO:-build-demo/zoo}
runs=runs/records-$(date +%Y%m%d-%H%M%S)
list=false
[ "${1:-}" = --list ] && list=true && shift
[ $# -gt 0 ] || set -- ""
made=0

# Whether the arguments after NAME ask for it.
is_wanted() {
  name=$1
  shift
  for wanted; do
    case $name in "$wanted"*) return 0 ;; esac
  done
  return 1
}

# keep_samples RUN RECORD: the run's last samples, a picture or a text, beside the record.
keep_samples() {
  rm -f "zoo/results/$2.png" "zoo/results/$2.txt"
  for last in "$1"/samples/step_*; do :; done # their names begin with as many zeros as it takes
  if [ -e "$last" ]; then cp "$last" "zoo/results/$2.${last##*.}"; fi
}

# record NAME FAMILY SEEDS TRAIN-FLAGS EVAL-FLAGS, for the script's own arguments. Flags are words without spaces.
record() {
  $list && echo "$1 (seeds $3): genera-$2 train $4" && return
  program=$zoo/$2/genera-$2
  for seed in $3; do
    one=$1
    [ "$3" = 0 ] || one=$1-seed$seed
    "$program" train $4 --seed "$seed" --out "$runs/$one" >/dev/null
    "$program" eval "$runs/$one" $5 --record "zoo/results/$one.json"
    [ "$seed" != "${3%% *}" ] || keep_samples "$runs/$one" "$one"
  done
  made=$((made + 1))
}

# The table: the name of the record, the family, the seeds, flags of train, flags of eval.
while IFS='|' read -r name family seeds train eval; do
  name=$(echo $name)
  case $name in '' | '#'*) continue ;; esac
  is_wanted "$name" "$@" || continue
  record "$name" $family "$(echo $seeds)" "$train" "$eval" </dev/null
done <zoo/records.txt
$list || [ $made -gt 0 ] || { echo "zoo/records.sh: no record's name begins with: $*" >&2; exit 2; }
