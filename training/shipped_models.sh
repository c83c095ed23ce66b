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

# ENCODER: training/encoder/read_lite0.py and training/unet/encoder_start.py make it. TORCH: a Python
# with torch, as training/unet/train_with_torch.py says. Five hours on two cores with AMX. Two
# networks come of it, which were trained apart. Of one, the first two parts weigh rare
# colours more, the others do not; four last parts start from the third, one with wear and three on
# clean pictures, and their weights are averaged. The other learns from clean pictures but for one
# of its two last parts, whose weights are averaged likewise.
if [ -n "${ENCODER:-}" ]; then
    export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=500000000
    with_torch="${TORCH:?} $(dirname "$0")/unet/train_with_torch.py"
    large=160,192,224,256
    worn="--wear 0.667"
    wide="--encoder-rate 0.05 --late-sizes $large"
    even="--mix 1 --sizes $large --rate 1.5e-3 --fall 0.9 --warmup 60 $wide"
    average=("$TORCH" "$(dirname "$0")/unet/average.py")
    $with_torch "$photos" "$out/unet-1" --start "$ENCODER" --mix 0.5 --epochs 8 --fall 0 $worn
    $with_torch "$photos" "$out/unet-2" --start "$out/unet-1/net.safetensors" --mix 0.5 \
        --epochs 7.5 --fall 0.9 --warmup 30 --rate 1.2e-3 $wide --seed 1 $worn
    $with_torch "$photos" "$out/unet-3" --start "$out/unet-2/net.safetensors" \
        --epochs 14 --until 3 $even --dropout 0.15 --seed 2 $worn
    last="--start $out/unet-3/net.safetensors $even --validation mod30"
    $with_torch "$photos" "$out/unet-4a" $last --epochs 11 --dropout 0.15 --seed 3 $worn
    $with_torch "$photos" "$out/unet-4b" $last --epochs 11 --until 2 --dropout 0.15 --seed 3 \
        --wear 0
    $with_torch "$photos" "$out/unet-4c" $last --epochs 11 --until 2 --dropout 0.2 --seed 31 \
        --wear 0 --closest 2.2
    $with_torch "$photos" "$out/unet-4d" $last --epochs 5 --dropout 0.2 --seed 11 --wear 0 \
        --closest 2.2
    "${average[@]}" "$out/unet-4.safetensors" "$out"/unet-4[a-d]/net.safetensors

    $with_torch "$photos" "$out/unet-5" --start "$ENCODER" --mix 1 --epochs 3 --fall 0.6 \
        --warmup 100 --sizes 160 --late-sizes 160 --encoder-rate 0.02 --seed 5 --wear 0 \
        --validation mod30
    $with_torch "$photos" "$out/unet-6" --start "$out/unet-5/net.safetensors" --mix 1 \
        --epochs 40 --until 11.99 --fall 0.55 --warmup 60 --sizes "128,$large" --rate 1.5e-3 \
        $wide --dropout 0.15 --closest 2 --seed 41 --wear 0 --validation mod30
    last="--start $out/unet-6/net.safetensors $even --validation mod30"
    $with_torch "$photos" "$out/unet-7a" $last --epochs 11 --until 2.5 --dropout 0.15 --seed 51 \
        --wear 0 --closest 2
    $with_torch "$photos" "$out/unet-7b" $last --epochs 3 --dropout 0.15 --seed 53 --wear 0.35
    "${average[@]}" "$out/unet-7.safetensors" "$out"/unet-7[ab]/net.safetensors
    # No epochs: measures, and chooses how answers are decoded.
    chroma train "$photos" -o "$out/unet" --regressor tf-unet --name unet --licence Apache-2.0 \
        --set tf-unet.second=true --set train.start="$out/unet-7.safetensors" \
        --set train.second="$out/unet-4.safetensors" --set train.epochs=0 \
        --set train.validate=400 --validation mod30
fi

for model in local-dense sift-dense semantic-dense ${ENCODER:+unet}; do
    if [ $# -gt 0 ]; then
        chroma evaluate "$@" --model "$out/$model" \
            --csv "$out/$model.csv" --html "$out/$model.html" --json > "$out/$model.json"
        logs=()
        [ "$model" != unet ] || logs=("$out"/unet-[1-7]*/log.csv)
        python "$(dirname "$0")/write_cards.py" "$out/$model" "$out/$model.json" "${logs[@]}"
    fi
done
