#!/usr/bin/env bash
# How models/tiny.onnx was made: bash models/tiny.sh DATA OUTPUT
# DATA holds lspet/, lsp/, mpii/, coco/ and teacher/ (predictions of MoveNet Lightning on the
# training photos). Run from the project's root after `cargo build --release`.
#
# Small pictures first: they cost least, and what is learned on them is not lost. Every stage starts
# from the weights of the one before. The stages were ended by hand where --stop-after says so.
set -euo pipefail
source models/common.sh

# 2026-11-20
stage 1 - 3 2 --tiny --mobile --input 128x128 --sigma 1.25 --batch 32 --epochs 10 --final-rate 0.1 \
    --stop-after 1000
stage 2 "$OUT/stage-1/last.safetensors" 3 2 --input 96x96 --sigma 1.0 --average 0.998 --scale 0.15 \
    --rotation 20 --seed 1 --learning-rate 1.5e-3 --warmup 100 --final-rate 0.15 --epochs 12 \
    --stop-after 2000
stage 3 "$OUT/stage-2/last.safetensors" 3 2 --input 96x96 --sigma 1.0 --average 0.998 --scale 0.15 \
    --rotation 20 --seed 2 --learning-rate 5e-4 --warmup 50 --final-rate 0.3 --epochs 8 \
    --stop-after 600
stage 4 "$OUT/stage-3/last.safetensors" 3 2 --input 96x96 --sigma 1.75 --average 0.998 --scale 0.12 \
    --rotation 15 --seed 3 --learning-rate 1e-3 --warmup 50 --final-rate 0.3 --epochs 8 \
    --stop-after 900
stage 5 "$OUT/stage-4/last.safetensors" 5 1 --input 128x128 --margin 1.05 --sigma 2.25 --average 0.998 \
    --scale 0.15 --rotation 20 --seed 4 --learning-rate 1e-3 --warmup 50 --final-rate 0.3 \
    --epochs 8 --stop-after 600
mild=(--cutout 0 --half-body 0 --scale 0.15 --rotation 20)
stage 6 "$OUT/stage-5/last.safetensors" 5 1 "${clean[@]}" "${mild[@]}" --input 128x128 --margin 1.05 \
    --sigma 2.25 --average 0.998 --seed 5 --learning-rate 1e-3 --warmup 50 --final-rate 0.15 \
    --epochs 4 --stop-after 1600
stage 7 "$OUT/stage-6/last.safetensors" 8 1 "${clean[@]}" "${mild[@]}" --input 192x192 --sigma 2.75 \
    --average 0.995 --seed 6 --learning-rate 8e-4 --warmup 30 --final-rate 0.02 --epochs 1

# 2026-11-21. Stage 8 was ended by hand at step 5750 of 9480; from step 4500 on in bf16.
stage 8 "$OUT/stage-7/last-average.safetensors" 5 1 "${small[@]}" --seed 8 --learning-rate 1.2e-3 \
    --final-rate 0.05 --epochs 8 --validate-every 500 --stop-after 5500
stage 9 "$OUT/stage-8/last-average.safetensors" 8 1 "${last[@]}" --input 192x192 --average 0.997 --seed 9 \
    --learning-rate 8e-4 --warmup 30 --validate-every 300
stage 10 "$OUT/stage-9/last-average.safetensors" 8 1 "${last[@]}" --input 192x192 --average 0.997 --seed 10 \
    --learning-rate 5e-4 --warmup 20 --validate-every 340
stage 11 "$OUT/stage-10/last-average.safetensors" 5 1 "${small[@]}" --seed 11 --learning-rate 1.2e-3 \
    --final-rate 0.1 --epochs 3 --validate-every 600
stage 12 "$OUT/stage-11/last-average.safetensors" 8 1 "${last[@]}" --input 192x192 --average 0.997 --seed 12 \
    --learning-rate 6e-4 --warmup 30 --validate-every 340

"$trainer" plot --log "$OUT"/stage-{8,9,10,11,12} --output "$OUT/tiny-curve.svg"
ship tiny "$OUT/stage-12/last-average.safetensors"
