#!/bin/sh
# Build the kernel with AddressSanitizer and UndefinedBehaviorSanitizer and fuzz it with critical lengths and values.
# Usage: tests/hht/sanitize_kernel.sh [seconds], in an environment with the project's dependencies.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/semg_hht"
cp -r "$root/src/semg_hht/__init__.py" "$root/src/semg_hht/version.py" "$root/src/semg_hht/hht" "$work/semg_hht/"
rm -f "$work"/semg_hht/hht/*.so
: >"$work/semg_hht/__init__.py" # load the transform alone, without the rest of the package
include=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
${CC:-gcc} -shared -fPIC -g -O1 -fno-omit-frame-pointer -fno-math-errno -fno-trapping-math \
    -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -Wall -Wextra -Werror \
    -I"$include" "$root"/src/semg_hht/hht/csrc/*.c -o "$work/semg_hht/hht/_kernel.abi3.so" -lm
preload=$(${CC:-gcc} -print-file-name=libasan.so):$(${CC:-gcc} -print-file-name=libubsan.so)
LD_PRELOAD="$preload" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH="$work" PYTHONDONTWRITEBYTECODE=1 \
    "$python" "$root/tests/hht/fuzz_kernel.py" "${1:-20}"
