#!/usr/bin/env bash
# Makes the shipped models anew: extracts, trains, and measures all.
#
#   training/shipped_models.sh PHOTOS OUT [EVALUATION...]
#
# PHOTOS: colour photographs in one folder a source, short side 256 px or more.
# OUT: receives shards (2 GB each), model folders, and reports. EVALUATION: folders to measure on.
set -euo pipefail
photos=$1
out=$2
shift 2
mkdir -p "$out"

sift=(--set sift.sizes=4,8,16,32 --set sift.root=true)

chroma extract "$photos" -o "$out/shards-local" --per-image 200 \
    --features sift,lightness,position,whole "${sift[@]}" --set whole.cells=8
chroma train "$out/shards-local" -o "$out/local-dense" --regressor tf-dense --name local-dense \
    --licence Apache-2.0 --set train.epochs=7 --set train.batch=512 --set train.dropout=0.2 \
    --set train.patience=5 --set train.buffer_rows=1500000

chroma extract "$photos" -o "$out/shards-sift" --per-image 200 --features sift "${sift[@]}"
chroma train "$out/shards-sift" -o "$out/sift-dense" --regressor tf-dense --name sift-dense \
    --licence Apache-2.0 --set train.epochs=6 --set train.batch=512 --set train.dropout=0.1 \
    --set train.patience=4 --set train.buffer_rows=1500000

# The encoder and its projection lie in plugins/chroma_onnx/encoder; training/encoder makes them.
chroma extract "$photos" -o "$out/shards-semantic" --per-image 128 \
    --features semantic,position,lightness
chroma train "$out/shards-semantic" -o "$out/semantic-dense" --regressor tf-dense \
    --name semantic-dense --licence Apache-2.0 --set train.epochs=8 --set train.batch=512 \
    --set train.dropout=0.15 --set train.patience=4 --set train.buffer_rows=1200000

# ENCODER: training/encoder/read_lite0.py and training/unet/encoder_start.py make it.
if [ -n "${ENCODER:-}" ]; then
    chroma train "$photos" -o "$out/unet-begun" --regressor tf-unet --name unet \
        --set train.start="$ENCODER" --set train.epochs=8 --set train.sizes=160,192,224 \
        --set train.learning_rate=7e-4 --set train.parts=2
    chroma train "$photos" -o "$out/unet" --regressor tf-unet --name unet --licence Apache-2.0 \
        --set train.start="$out/unet-begun" --set train.epochs=1.6 --set train.sizes=224,256 \
        --set train.learning_rate=2.5e-4 --set train.warmup=50 --set train.seed=1 \
        --set train.validate=300 --set train.parts=2
fi

for model in local-dense sift-dense semantic-dense ${ENCODER:+unet}; do
    if [ $# -gt 0 ]; then
        chroma evaluate "$@" --model "$out/$model" \
            --csv "$out/$model.csv" --html "$out/$model.html" --json > "$out/$model.json"
        python "$(dirname "$0")/write_cards.py" "$out/$model" "$out/$model.json"
    fi
done
