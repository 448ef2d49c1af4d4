"""The transform beside its peers: one command, one process tree, both sides interleaved, medians of CPU time.

    python benchmarks/hht.py --install-peers     # makes build/peers with PyEMD, emd and this package, and runs there
    python benchmarks/hht.py                     # with whatever peers this environment has

Two peers are on no package index. Where --peers names a folder with their checkouts, sEMG-pre-processing (Python) and
ICEEMDAN-MKL (with its C interface built as libiceemdan.so, by its own instructions), they are measured too. A peer that
is not there is left out, and that is said.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import time
import venv
import warnings
from collections.abc import Callable
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / "build" / "peers"
RATE_HZ = 1000.0
Duel = tuple[str, Callable, Callable | None, float]


def install_peers() -> None:
    """A venv with the peers of the package index and this package; then the same command again, in it."""
    venv.create(ENVIRONMENT, with_pip=True)
    python = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = ["EMD-signal==1.10.0", "emd==0.8.1", str(ROOT)]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    again = [argument for argument in sys.argv[1:] if argument != "--install-peers"]
    raise SystemExit(subprocess.run([python, __file__, *again], check=False).returncode)


def loaded(path: Path):
    """A module from a file, or None."""
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location(path.stem + "_peer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peer_module(name: str):
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def side_by_side(ours: Callable, theirs: Callable, rounds: int) -> tuple[float, float]:
    """Median CPU seconds of each: in every round the peer once, ours often enough to be seen."""
    ours(), theirs()
    start = time.process_time()
    ours()
    repeats = max(1, int(0.02 / max(time.process_time() - start, 1e-6)))
    own, other = [], []
    for _ in range(rounds):
        start = time.process_time()
        theirs()
        middle = time.process_time()
        for _ in range(repeats):
            ours()
        own.append((time.process_time() - middle) / repeats)
        other.append(middle - start)
    return statistics.median(own), statistics.median(other)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install-peers", action="store_true", help="make build/peers first and run in it")
    parser.add_argument("--peers", type=Path, default=ROOT.parent, help="folder with checkouts of the two repositories")
    parser.add_argument("--decompositions", type=Path, metavar="FOLDER", help="compare ours on recordings of 1000 Hz")
    parser.add_argument("--ours", action="store_true", help="only our own cost, growth, memory and cores")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.install_peers:
        install_peers()
    if arguments.decompositions:
        compare_decompositions(arguments.decompositions)
        return
    if not arguments.ours:
        compare(arguments.peers, arguments.rounds)
    # In a process of its own: a peer's OpenMP ties the process to one core.
    if arguments.ours:
        describe_ours()
    else:
        subprocess.run([sys.executable, __file__, "--ours"], check=True)


def emd_spectrum(library, x) -> None:
    """Signal to 256 frequency bins over time, by the library's own functions."""
    imfs = library.sift.sift(x)
    _, frequency, amplitude = library.spectra.frequency_transform(imfs, RATE_HZ, "hilbert")
    edges, _ = library.spectra.define_hist_bins(20, 450, 256)
    library.spectra.hilberthuang(frequency, amplitude, edges, sum_time=False)


def mkl_iceemdan(library: ctypes.CDLL, x, trials: int) -> None:
    """One decomposition through the library's C interface."""
    library.iceemdan_create.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(library.iceemdan_create(0))
    library.iceemdan_set_ensemble_size(handle, trials)
    library.iceemdan_decompose(handle, x.ctypes.data_as(ctypes.c_void_p), len(x))
    library.iceemdan_destroy(handle)


def duels(peers: Path) -> list[Duel]:
    """Every goal: what it is called, ours, the peer (None where it is not there), and the ratio to reach."""
    from semg_hht import hht

    pyemd, emd_library = peer_module("PyEMD"), peer_module("emd")
    upstream = loaded(peers / "sEMG-pre-processing" / "semg_preprocessing" / "hht.py")
    library = peers / "ICEEMDAN-MKL" / "libiceemdan.so"
    mkl = ctypes.CDLL(str(library)) if library.is_file() else None
    x = {n: band_limited(n) for n in (1000, 2000, 5000, 20000)}
    rows: list[Duel] = []

    for n, goal in ((1000, 200), (5000, 100), (20000, 40)):
        rows.append(
            (
                f"EMD, identical to PyEMD, N={n}",
                lambda n=n: hht.emd(x[n], stopping="pyemd", n_threads=1),
                pyemd and (lambda n=n: pyemd.EMD().emd(x[n])),
                goal,
            )
        )
    for n, trials in ((2000, 50), (2000, 100)):
        rows.append(
            (
                f"CEEMDAN, identical to PyEMD, N={n}, {trials} trials",
                lambda n=n, t=trials: hht.ceemdan(x[n], t, 0.005, stopping="pyemd", n_threads=1),
                pyemd and (lambda n=n, t=trials: pyemd.CEEMDAN(trials=t, parallel=False).ceemdan(x[n])),
                150,
            )
        )

    plain = hht.SpectrumConfig(decomposition="emd")
    recipe = hht.SpectrumConfig(decomposition="upstream")
    for n in (2000, 5000):
        ours = lambda n=n: hht.hilbert_spectrum(x[n], RATE_HZ, plain, n_threads=1)  # noqa: E731
        rows.append(
            (
                f"256 x 256 with EMD, against emd, N={n}",
                ours,
                emd_library and (lambda n=n: emd_spectrum(emd_library, x[n])),
                25,
            )
        )
        rows.append(
            (
                f"256 x 256 with EMD, against upstream's, N={n}",
                ours,
                upstream
                and (
                    lambda n=n: upstream.compute_hilbert_spectrum_enhanced(
                        x[n], RATE_HZ, normalize_length=256, use_ceemdan=False
                    )
                ),
                250,
            )
        )
    rows.append(
        (
            "upstream's matrix, identical, N=2000",
            lambda: hht.hilbert_spectrum(x[2000], RATE_HZ, recipe, n_threads=1),
            upstream and (lambda: upstream.compute_hilbert_spectrum_enhanced(x[2000], RATE_HZ, normalize_length=256)),
            100,
        )
    )

    for n, trials in ((2000, 50), (2000, 100), (5000, 50)):
        rows.append(
            (
                f"ICEEMDAN, noise bank, against ICEEMDAN-MKL, N={n}, {trials} trials",
                lambda n=n, t=trials: hht.iceemdan(x[n], t, noise="bank", n_threads=1),
                mkl and (lambda n=n, t=trials: mkl_iceemdan(mkl, x[n], t)),
                6,
            )
        )
    return rows


def compare(peers: Path, rounds: int) -> None:
    import numpy as np

    warnings.simplefilter("ignore")  # the peers' own
    print(f"{'what':54} {'ours ms':>9} {'peer ms':>10} {'ratio':>8} {'goal':>6}")
    for name, ours, theirs, goal in duels(peers):
        if not theirs:
            print(f"{name:54} {'peer not installed':>29}")
            continue
        with np.errstate(all="ignore"):
            own, other = side_by_side(ours, theirs, rounds)
        verdict = "" if other / own >= goal else "  missed"
        print(f"{name:54} {own * 1e3:9.3f} {other * 1e3:10.1f} {other / own:8.1f} {goal:6}{verdict}", flush=True)


def compare_decompositions(folder: Path) -> None:
    """Of every tenth recording (CSV without header, rows of channels) the first channel, by every method."""
    import numpy as np

    from semg_hht import hht

    files = [path for path in sorted(folder.rglob("*.csv")) if not path.name.startswith("manifest")][::10]
    signals = [np.ascontiguousarray(np.loadtxt(path, delimiter=",", ndmin=2)[:, 0]) for path in files]
    print(f"{len(signals)} recordings; orthogonality and mixing: lower is better")
    print(f"{'method':10} {'ms':>7} {'IMFs':>6} {'orthogonality':>14} {'mixing':>8} {'dropped':>8} {'repeats':>8}")
    for name in hht.DECOMPOSITIONS:
        found: list[tuple[float, ...]] = []
        start = time.process_time()
        for x in signals:
            spectra = []
            for seed in (0, 1):
                config = hht.SpectrumConfig(decomposition=name, seed=seed)
                spectra.append(hht.hilbert_spectrum(x, RATE_HZ, config, n_threads=1))
            same = np.corrcoef(spectra[0].power.ravel(), spectra[1].power.ravel())[0, 1]
            found.append((spectra[0].n_imfs, spectra[0].dropped, same))
        seconds = (time.process_time() - start) / 2 / len(signals)
        method = {"mask": hht.masked_sift, "upstream": hht.upstream_ceemdan}.get(name) or getattr(hht, name)
        options = {} if name in ("emd", "mask") else {"n_trials": 30 if name == "upstream" else 50}
        shape = [orthogonality_and_mixing(method(x, **options)) for x in signals]
        n_imfs, dropped, same = np.median(found, axis=0)
        across, mixing = np.median(shape, axis=0)
        print(f"{name:10} {seconds * 1e3:7.1f} {n_imfs:6.0f} {across:14.4f} {mixing:8.3f} {dropped:8.3f} {same:8.3f}")


def orthogonality_and_mixing(rows) -> tuple[float, float]:
    """Huang's index of orthogonality (cross terms over energy), and the mean overlap of neighbouring IMFs' spectra
    (cosine between power spectra smoothed over 5 Hz or so: 1 where they cover the same band)."""
    import numpy as np

    imfs = rows[:-1]
    cross = imfs @ imfs.T
    energy = float(np.sum(rows.sum(axis=0) ** 2))
    spectra = np.abs(np.fft.rfft(imfs[:5], axis=1)) ** 2
    smooth = np.array([np.convolve(row, np.ones(15), mode="same") for row in spectra])
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
    overlap = np.sum(smooth[1:] * smooth[:-1], axis=1)
    return abs(float(cross.sum() - np.trace(cross))) / energy, float(overlap.mean())


def band_limited(n_samples: int, seed: int = 1):
    """Noise of the band of surface EMG, millivolts."""
    import numpy as np
    from scipy.signal import butter, sosfiltfilt

    white = np.random.default_rng(seed).standard_normal(n_samples)
    band = butter(4, [20, 450], "band", fs=RATE_HZ, output="sos")
    return np.ascontiguousarray(sosfiltfilt(band, white))


def median_cpu(work: Callable, rounds: int = 15) -> float:
    """Median CPU seconds of one call, of rounds of at least 10 ms."""
    work()
    start = time.process_time()
    work()
    repeats = max(1, int(0.01 / max(time.process_time() - start, 1e-6)))
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(repeats):
            work()
        times.append((time.process_time() - start) / repeats)
    return statistics.median(times)


def describe_ours() -> None:
    """Cost a sample and a sift, growth, memory, one core against two."""
    import numpy as np

    from semg_hht import hht
    from semg_hht.hht import kernel
    from semg_hht.hht.spectrum import power_on_grid
    from semg_hht.hht.stopping import RULES

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hht.iceemdan(band_limited(20000), 100, n_threads=1)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"peak memory that ICEEMDAN of N=20000 with 100 trials adds: {grown:.0f} MiB (one trial's samples: 0.15 MiB)")
    builds = kernel.compiled.builds() if kernel.compiled else ()
    print(f"\nbuilds this processor runs: {', '.join(builds) or 'none: NumPy'}; the last is used")
    print(f"{'N':>8} {'sift us':>9} {'grid us':>9} {'sifts':>6} {'ns a sample a sift':>19}   (goal 3)")
    for n in (1000, 2000, 5000, 20000, 120000):
        x = band_limited(n)
        rows, n_imfs, n_sifts = kernel.decompose(x[None], RULES["sd"])
        sift = median_cpu(lambda x=x: kernel.decompose(x[None], RULES["sd"]))
        grid = median_cpu(lambda rows=rows, n=n_imfs[0]: power_on_grid(rows[0, :n], RATE_HZ, (20.0, 450.0)))
        cost = sift * 1e9 / n / n_sifts.sum()
        print(f"{n:8} {sift * 1e6:9.0f} {grid * 1e6:9.0f} {n_sifts.sum():6} {cost:19.2f}")
    x = band_limited(2000)
    for trials in (25, 50, 100, 200):
        seconds = median_cpu(lambda t=trials: hht.iceemdan(x, t, n_threads=1), 5)
        print(f"ICEEMDAN, N=2000, {trials:3} trials: {seconds * 1e3:7.1f} ms")

    batch = np.stack([band_limited(2000, seed) for seed in range(200)])
    for name, work in (
        ("EMD, 200 signals", lambda threads: hht.emd(batch, n_threads=threads)),
        ("256 x 256, 200 signals", lambda threads: hht.hilbert_spectra(batch, RATE_HZ, None, threads)),
        ("ICEEMDAN, 20 signals", lambda threads: hht.iceemdan(batch[:20], 50, n_threads=threads)),
        ("ICEEMDAN, one signal, 100 trials", lambda threads: hht.iceemdan(x, 100, n_threads=threads)),
    ):
        ratios, extra = [], []
        for _ in range(9):
            wall, cpu = [], []
            for threads in (1, 2):
                start, start_cpu = time.perf_counter(), time.process_time()
                work(threads)
                wall.append(time.perf_counter() - start)
                cpu.append(time.process_time() - start_cpu)
            ratios.append(wall[0] / wall[1])
            extra.append(cpu[1] / cpu[0])
        print(
            f"two cores against one, {name}: {statistics.median(ratios):.2f} (best {max(ratios):.2f}, goal 1.8); "
            f"CPU time, two threads over one: {statistics.median(extra):.2f}"
        )


if __name__ == "__main__":
    main()
