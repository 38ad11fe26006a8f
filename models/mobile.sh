#!/usr/bin/env bash
# How models/mobile.onnx was made, on 2026-11-21: bash models/mobile.sh DATA OUTPUT, after
# models/tiny.sh with the same arguments, whose stage 11 it grows from.
set -euo pipefail
source models/common.sh

mkdir -p "$OUT/mobile"
"$trainer" grow --weights "$OUT/stage-11/last-average.safetensors" --channels 256 \
    --output "$OUT/mobile/grown.safetensors"
OUT=$OUT/mobile
# The schedule was one of 4 epochs for the first 810 steps.
stage 1 "$OUT/grown.safetensors" 5 1 "${small[@]}" --seed 21 --learning-rate 1e-3 \
    --final-rate 0.1 --epochs 3 --validate-every 400
"$trainer" train --output "$OUT/stage-2" --weights "$OUT/stage-1/last-average.safetensors" \
    --data "lspet:$DATA/lspet#0/2" --data "lsp:$DATA/lsp?split=train#!0/10*4" \
    --data "annotations:$DATA/mpii" \
    --data "coco:$DATA/coco/person_keypoints_train2017_subset.json" \
    --validate "lsp:$DATA/lsp?split=train#0/10" --batch 16 --colour 0.2 "${last[@]}" \
    --input 192x192 --average 0.995 --seed 23 --learning-rate 5e-4 --warmup 20 --validate-every 230

"$trainer" plot --log "$OUT"/stage-{1,2} --output "$OUT/mobile-curve.svg"
ship mobile "$OUT/stage-2/last-average.safetensors"
