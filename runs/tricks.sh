#!/usr/bin/env bash
# What each trick of training does to a small network on a small set: one change at a time against the same baseline, three
# seeds, top-1 on test images that no choice was made on. Ends with the table of docs/tricks.md.
# Usage: runs/tricks.sh DATA [OUT]   (DATA holds train, validation and test folders; a run that is in OUT is not made again)
# SEEDS="0 1 2", EPOCHS=8 and ONLY="trick trick" may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${1:?usage: runs/tricks.sh DATA [OUT]}
out=${2:-runs/tricks}
seeds=${SEEDS:-0 1 2}
mkdir -p "$out"
csv="$out/tricks.csv"
[ -e "$csv" ] || echo "trick,seed,val_top1,test_top1,seconds" >"$csv"

# S0 at a third to a quarter of its width and 64 px; nothing but crop, flip and a cosine.
base=(--widths .25,.25,.25,.5 --size 64 --epochs "${EPOCHS:-8}" --batch-size 32 --lr 0.05 --crop-scale-min 0.35
  --label-smoothing 0 --ema-decay 0 --weight-decay 5e-4 --weight-decay-end 5e-4)

tricks=(
  "baseline|"
  "warm-up, 1 epoch|--warmup-epochs 1"
  "Nesterov|--nesterov"
  "weight decay annealed to a tenth|--weight-decay-end 5e-5"
  "label smoothing 0.1|--label-smoothing 0.1"
  "EMA 0.998|--ema-decay 0.998"
  "EMA, statistics not recalibrated|--ema-decay 0.998 --recalibrate-images 0"
  "one conv branch instead of 4|--num-conv-branches 1"
  "AdamW 0.001, decay 0.05|--optimizer adamw --lr 0.001 --weight-decay 0.05 --weight-decay-end 0.05"
  "batch 16, lr 0.025|--batch-size 16 --lr 0.025"
  "clipping at 2|--clip-grad 2"
  "images of 48, then 64 px|--progressive 48,64"
  "rotation 10°, color jitter 0.2|--rotate 10 --brightness 0.2 --contrast 0.2 --saturation 0.2"
  "RandAugment 2 × 9|--auto-augment randaugment"
  "mixup 0.2|--mixup 0.2"
  "cutmix 1|--cutmix 1"
  "random erasing 0.25|--reprob 0.25"
  "no weight decay|--weight-decay 0 --weight-decay-end 0"
  "statistics not recalibrated|--recalibrate-images 0"
  "micro-batches of 8|--micro-batch-size 8"
  "crops from 8 % of the image|--crop-scale-min 0.08"
  "AutoAugment|--auto-augment autoaugment"
  "class weights|--class-weights balanced"
  "balanced sampling|--sampler balanced"
)

number() { node -e 'const d = JSON.parse(require("node:fs").readFileSync(0, "utf8")); console.log(d.top1)'; }

for trick in "${tricks[@]}"; do
  name=${trick%%|*}
  read -ra flags <<<"${trick#*|}"
  if [ -n "${ONLY:-}" ] && [[ " $ONLY " != *" ${name%% *} "* ]]; then continue; fi
  for seed in $seeds; do
    grep -qF "\"$name\",$seed," "$csv" && continue
    run="$out/$(tr -cs 'a-zA-Z0-9\n' - <<<"$name")$seed"
    rm -rf "$run"
    start=$SECONDS
    node dist/cli.js train "$data" "${base[@]}" ${flags[@]+"${flags[@]}"} --seed "$seed" --out "$run" --no-tensorboard >"$run.log" 2>&1
    seconds=$((SECONDS - start))
    val=$(node dist/cli.js eval "$run" --json | number)
    test=$(node dist/cli.js eval "$run" "$data/test" --json | number)
    echo "\"$name\",$seed,$val,$test,$seconds" >>"$csv"
    echo "$name, seed $seed: val $val, test $test, $seconds s"
  done
done

node runs/tricks-table.mjs "$csv"
