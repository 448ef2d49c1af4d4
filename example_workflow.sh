#!/usr/bin/env bash
# Make sample data, train and predict, in a new folder: bash example_workflow.sh [FOLDER]
# The files to predict are of other people: for people in the training data, every prediction looks certain.
set -euo pipefail
cd "$(dirname "$0")"
folder=${1:-example}
python=${PYTHON:-python}

"$python" generate_sample_data.py --output_dir "$folder/data" --n_samples 48 --n_test 6
"$python" generate_sample_data.py --output_dir "$folder/new_data" --n_samples 0 --n_test 6 --seed 7
"$python" train.py --data_dir "$folder/data" --checkpoint_dir "$folder/checkpoints" \
  --epochs 10 --learning_rate 0.001 --base_channels 8
"$python" inference.py --checkpoint "$folder/checkpoints/final" --input "$folder/new_data" \
  --output "$folder/predictions.json"
echo "The predictions are in $folder/predictions.json"
