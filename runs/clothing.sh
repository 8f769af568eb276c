#!/usr/bin/env bash
# MobileOne on ten classes of clothes (folders train, validation and test), each study with three seeds; results are those of test.
#   runs/clothing.sh same DATA                S0 from scratch at 112 px with the settings of the PyTorch baseline (docs/log.md)
#   runs/clothing.sh scratch DATA             the same epochs with the preset small-data
#   runs/clothing.sh finetune DATA WEIGHTS    Apple's fused S0, expanded to k = 4, five epochs at 160 px with the preset finetune
#   runs/clothing.sh distill DATA TEACHER     eight epochs of a student with 23 % of S0's multiply-adds, with and without TEACHER (a run)
# SEEDS="0 1 2" and OUT=runs may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
study=${1:?usage: runs/clothing.sh same|scratch|finetune|distill DATA [WEIGHTS|TEACHER]}
data=${2:?usage: runs/clothing.sh $study DATA}
out=${OUT:-runs}

# run NAME FLAG… : trains and evaluates with every seed, then says mean and spread.
run() {
  local name=$1 seed start accuracies=()
  shift
  for seed in ${SEEDS:-0 1 2}; do
    local folder="$out/clothing-$name-seed$seed"
    start=$SECONDS
    node dist/cli.js train "$data" --seed "$seed" --out "$folder" "$@"
    local seconds=$((SECONDS - start))
    accuracies+=("$(node dist/cli.js eval "$folder" "$data/test" --json |
      node -e 'console.log(JSON.parse(require("node:fs").readFileSync(0, "utf8")).top1)')")
    echo "$name, seed $seed: test top-1 ${accuracies[-1]} %, $seconds s of wall time"
  done
  node -e '
    const [name, ...values] = process.argv.slice(1);
    const numbers = values.map(Number);
    const mean = numbers.reduce((a, b) => a + b) / numbers.length;
    const spread = Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, numbers.length - 1));
    console.log(`${name}: test top-1 ${mean.toFixed(1)} % ± ${spread.toFixed(1)} (${numbers.length} seeds)`);
  ' "$name" "${accuracies[@]}"
}

case $study in
  same)
    run same --size 112 --epochs 14 --batch-size 32 --lr 0.05 --warmup-epochs 1 --weight-decay 1e-4 --weight-decay-end 1e-4 \
      --label-smoothing 0.1 --ema-decay 0 --crop-scale-min 0.25
    ;;
  scratch) run scratch --preset small-data --size 112 --epochs 14 ;;
  finetune) run finetune --preset finetune --pretrained "${3:?which weights?}" --num-conv-branches 4 ;;
  distill)
    student=(--preset small-data --size 112 --epochs 8 --widths .375,.4375,.4375,1)
    run student "${student[@]}"
    run distilled "${student[@]}" --teacher "${3:?which teacher?}" --teacher-size 160
    ;;
  *) echo "there is no study $study" >&2 && exit 2 ;;
esac
