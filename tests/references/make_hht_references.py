"""Make hht_references.npz with the original libraries.

    pip install EMD-signal==1.10.0 emd==0.8.1
    PYTHONPATH=tests python tests/references/make_hht_references.py PATH/sEMG-pre-processing/semg_preprocessing/hht.py

The argument is a file of the tool that made most users' earlier matrices (github.com/PRIMOCOSMOS/sEMG-pre-processing).
The references contain the versions of the libraries under ``versions``.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import sys
from pathlib import Path

import emd as emd_library
import numpy as np
from PyEMD import CEEMDAN, EMD

from hht_signals import N_REAL, N_SIMULATED, list_recordings, probes, real, semg_like, simulated
from semg_hht.hht.noise import key, numpy_normals


class CountingEMD(EMD):
    n_checks = 0

    def check_imf(self, *arguments):
        self.n_checks += 1  # one check per sift
        return super().check_imf(*arguments)


class GivenNoise(CEEMDAN):
    def generate_noise(self, scale, size):
        return np.stack([numpy_normals(size[1], key(5, trial)) for trial in range(size[0])])


def pyemd(signal):
    library = CountingEMD()
    library.emd(signal.copy())
    return np.vstack([library.imfs, library.residue]), library.n_checks


def main() -> None:
    spec = importlib.util.spec_from_file_location("upstream", sys.argv[1])
    upstream = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(upstream)
    out: dict[str, np.ndarray] = {}
    recordings = list_recordings()
    out["recordings"] = np.array(recordings)
    signals = {f"simulated_{i}": simulated(i) for i in range(N_SIMULATED)}
    signals |= {f"real_{i}": real(recordings[i], i) for i in range(N_REAL)}
    for name, signal in signals.items():
        rows, n_checks = pyemd(signal)
        out[f"pyemd/{name}"] = probes(rows)
        out[f"pyemd_sifts/{name}"] = np.array(n_checks)
    for i in range(12):
        signal = real(recordings[i], i) if i % 3 == 0 else semg_like(200 + 30 * i, i)
        library = GivenNoise(trials=8, parallel=False)
        out[f"ceemdan/{i}"] = probes(library.ceemdan(signal.copy()))
    for i in range(12):
        signal = semg_like(600 + 50 * i, 50 + i)
        imf, _ = emd_library.sift.get_next_imf(signal, stop_method="fixed", max_iters=1)
        out[f"emd_sift/{i}"] = imf[200:400, 0]
    for i in range(6):
        signal = semg_like(300 + 150 * i, 80 + i)
        trials = itertools.count()
        np.random.randn = lambda n, trials=trials: numpy_normals(n, key(6, next(trials)))
        matrix, _, _ = upstream.compute_hilbert_spectrum_enhanced(signal, 1000.0, normalize_length=256)
        out[f"upstream/{i}"] = matrix[::9, ::7]
    names = ("EMD-signal", "emd", "numpy", "scipy")
    out["versions"] = np.array([f"{name} {importlib.metadata.version(name)}" for name in names])
    np.savez_compressed(Path(__file__).with_name("hht_references.npz"), **out)


main()
