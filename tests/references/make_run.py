"""Makes tests/references/run: a run and its export as this version writes them, to be loaded by every later one.

    python tests/references/make_run.py

Run once a format; what was kept is never made again, a later version must read it as it is.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "src"), str(HERE.parent)]

KEPT = HERE / "run"


def main() -> None:
    import shutil

    import numpy as np

    from builders import make_dataset, write_dataset
    from semg_hht.exports.export import export
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, train
    from semg_hht.matrices.matrix import Matrix, write_matrix
    from semg_hht.prediction.run import open_run
    from semg_hht.system.files import require_new_folder, write_json

    require_new_folder(KEPT, overwrite=False)
    with tempfile.TemporaryDirectory() as base:
        data = load_folder(write_dataset(make_dataset(n_repetitions=1), Path(base) / "data"))
        train(
            data,
            Path(base) / "run",
            TrainingConfig(epochs=2, batch_size=8),
            NetworkSize(base_channels=1),
            RunOptions(cpu=True),
        )
        run = open_run(Path(base) / "run", cpu=True)
        export(run.engine, run.folder, KEPT / "export", data=data)
        shutil.copytree(run.folder, KEPT / "best")
        places = np.arange(256)
        values = (places[:, None] * places % 17 / np.float32(17)).astype(np.float32)  # a pattern that packs well
        write_matrix(KEPT / "matrix.npz", Matrix(values[None], data.settings))
        write_json(KEPT / "answers.json", run.predict(KEPT / "matrix.npz").to_json())


if __name__ == "__main__":
    main()
