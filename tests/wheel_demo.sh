#!/usr/bin/env bash
# Installs a wheel into an environment of its own and runs the demo from it in an empty folder.
set -euo pipefail
python=$1
wheel=$(realpath "$2")
constraints=$(realpath "$(dirname "$0")/../constraints.txt")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip --disable-pip-version-check install --quiet \
    --constraint "$constraints" "${wheel}[opencv,tensorflow]"
mkdir "$work/empty"
cd "$work/empty"
"$work/env/bin/chroma" run --features sift --regressor tf-dense < /dev/null
"$work/env/bin/chroma" demo -o demo
count=$(find chroma-demo demo -name '*.refined.png' -size +4k | wc -l)
if [ "$count" -lt 12 ]; then
    echo "the demo made $count refined pictures, wanted at least 12" >&2
    exit 1
fi
echo "wheel demo: $count refined pictures"
