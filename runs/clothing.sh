#!/usr/bin/env bash
# S0 from scratch on ten classes of clothes at 112 px, the settings of the PyTorch baseline (docs/log.md), three seeds.
# Usage: runs/clothing.sh DATA [SEED…]   (DATA holds train, validation and test folders)
set -euo pipefail
cd "$(dirname "$0")/.."
data=${1:?usage: runs/clothing.sh DATA [SEED…]}
shift
for seed in "${@:-0 1 2}"; do
  for s in $seed; do
    start=$SECONDS
    node dist/cli.js train "$data" --variant s0 --size 112 --epochs 14 --batch-size 32 --lr 0.05 --warmup-epochs 1 \
      --weight-decay 1e-4 --weight-decay-end 1e-4 --label-smoothing 0.1 --ema-decay 0 --crop-scale-min 0.25 \
      --seed "$s" --out "runs/clothing-s0-seed$s"
    echo "seed $s: $((SECONDS - start)) s of wall time"
    node dist/cli.js eval "runs/clothing-s0-seed$s" "$data/test"
  done
done
