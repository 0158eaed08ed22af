#!/usr/bin/env bash
# Installs the wheel of a folder alone, in a fresh environment outside the checkout, and runs it there.
#   wheel.sh DIST WORK
# TORCH_INDEX: index of torch's wheels; empty for PyPI's.
set -euo pipefail

dist=$(realpath "$1")
mkdir -p "$2"
cd "$2"
python -m venv fresh
pip=(fresh/bin/python -m pip install --disable-pip-version-check)
if [ -n "${TORCH_INDEX:-}" ]; then
  "${pip[@]}" --index-url "$TORCH_INDEX" torch
fi
"${pip[@]}" "$dist"/*.whl

fresh/bin/msaf-bench --version
fresh/bin/msaf-bench list
fresh/bin/msaf-bench flops --n 97x97
fresh/bin/msaf-bench ablate --table 3 --preset smoke --seeds 1 --rows MSAF,baseline --speed 0
ls reports/table3-street-smoke/table3.html
