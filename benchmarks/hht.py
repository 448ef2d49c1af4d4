"""Compare the transform with other libraries: CPU time in one process, both sides interleaved, medians.

    python benchmarks/hht.py --install-peers     # make build/peers with PyEMD, pyemd-rs, emd and this package
    python benchmarks/hht.py                     # run with the peers of this environment

Two peers are not on the package index: sEMG-pre-processing (Python) and ICEEMDAN-MKL (with its C interface built as
libiceemdan.so, by its own instructions). They are measured if the folder --peers contains their checkouts. The table
reports peers that are not installed.
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
# Only the standard library is imported here: --install-peers also works without NumPy.

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / "build" / "peers"
RATE_HZ = 1000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install-peers", action="store_true", help="make build/peers first and run in it")
    parser.add_argument("--peers", type=Path, default=ROOT.parent, help="folder with checkouts of the two repositories")
    parser.add_argument(
        "--decompositions", type=Path, metavar="FOLDER", help="compare our methods on recordings of 1000 Hz"
    )
    parser.add_argument("--ours", action="store_true", help="measure only our cost, growth, memory and cores")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.install_peers:
        install_peers()
    if arguments.decompositions:
        compare_decompositions(arguments.decompositions)
    elif arguments.ours:
        measure_ours()
    else:
        compare_with_peers(arguments.peers, arguments.rounds)
        # In a new process, because OpenMP of a peer binds this one to a single core.
        subprocess.run([sys.executable, __file__, "--ours"], check=True)


def install_peers() -> None:
    """Make a virtual environment with the peers of the package index and this package, and run the command in it."""
    venv.create(ENVIRONMENT, with_pip=True)
    python = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin") / "python"
    packages = ["EMD-signal==1.10.0", "pyemd-rs==0.1.4", "emd==0.8.1", str(ROOT)]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    arguments = [argument for argument in sys.argv[1:] if argument != "--install-peers"]
    raise SystemExit(subprocess.run([python, __file__, *arguments], check=False).returncode)


@dataclass(frozen=True)
class Peers:
    """The libraries to compare with; None for each that is not installed."""

    pyemd: Any
    pyemd_rs: Any
    emd: Any
    upstream: Any
    mkl: Any

    @classmethod
    def load(cls, folder: Path) -> Peers:
        pyemd, pyemd_rs, emd = (
            importlib.import_module(n) if importlib.util.find_spec(n) else None for n in ("PyEMD", "pyemd_rs", "emd")
        )
        upstream, path = None, folder / "sEMG-pre-processing" / "semg_preprocessing" / "hht.py"
        if path.is_file():
            spec = importlib.util.spec_from_file_location("upstream", path)
            assert spec is not None and spec.loader is not None
            upstream = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(upstream)
        library = folder / "ICEEMDAN-MKL" / "libiceemdan.so"
        return cls(pyemd, pyemd_rs, emd, upstream, ctypes.CDLL(str(library)) if library.is_file() else None)

    def emd_spectrum(self, x: Array) -> None:
        """Signal to 256 frequency bins over time, by functions of emd."""
        imfs = self.emd.sift.sift(x)
        _, frequency, amplitude = self.emd.spectra.frequency_transform(imfs, RATE_HZ, "hilbert")
        edges, _ = self.emd.spectra.define_hist_bins(20, 450, 256)
        self.emd.spectra.hilberthuang(frequency, amplitude, edges, sum_time=False)

    def upstream_matrix(self, x: Array, **options: object) -> None:
        self.upstream.compute_hilbert_spectrum_enhanced(x, RATE_HZ, normalize_length=256, **options)

    def mkl_iceemdan(self, x: Array, n_trials: int) -> None:
        """One decomposition through the C interface of ICEEMDAN-MKL."""
        self.mkl.iceemdan_create.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(self.mkl.iceemdan_create(0))
        self.mkl.iceemdan_set_ensemble_size(handle, n_trials)
        self.mkl.iceemdan_decompose(handle, x.ctypes.data_as(ctypes.c_void_p), len(x))
        self.mkl.iceemdan_destroy(handle)


@dataclass(frozen=True)
class Comparison:
    """One row of the table: our function, the peer's, whether the peer is installed, and the ratio to reach."""

    name: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    is_installed: bool
    goal: float


def comparisons(peers: Peers) -> Iterator[Comparison]:
    from semg_hht import hht

    signals = {n: band_limited(n) for n in (1000, 2000, 5000, 20000)}
    for n, goal in ((1000, 250), (5000, 100), (20000, 40)):
        yield Comparison(
            f"EMD, identical to PyEMD, N={n}",
            partial(lambda x: hht.emd(x, stopping="pyemd", n_threads=1), signals[n]),
            partial(lambda x: peers.pyemd.EMD().emd(x), signals[n]),
            peers.pyemd is not None,
            goal,
        )
        yield Comparison(
            f"EMD, identical to pyemd-rs, N={n}",
            partial(lambda x: hht.emd(x, stopping="pyemd", n_threads=1), signals[n]),
            partial(lambda x: peers.pyemd_rs.emd(x), signals[n]),
            peers.pyemd_rs is not None,
            30,
        )
    x = signals[2000]
    for n_trials in (50, 100):
        yield Comparison(
            f"CEEMDAN, identical to PyEMD, N=2000, {n_trials} trials",
            partial(lambda t: hht.ceemdan(x, t, 0.005, stopping="pyemd", n_threads=1), n_trials),
            partial(lambda t: peers.pyemd.CEEMDAN(trials=t, parallel=False).ceemdan(x), n_trials),
            peers.pyemd is not None,
            150,
        )
        yield Comparison(
            f"CEEMDAN, recipe of pyemd-rs, N=2000, {n_trials} trials",
            partial(lambda t: hht.ceemdan(x, t, 0.005, stopping="pyemd", n_threads=1), n_trials),
            partial(lambda t: peers.pyemd_rs.ceemdan(x, trials=t, seed=0, parallel=False), n_trials),
            peers.pyemd_rs is not None,
            30,
        )
    for n in (2000, 5000):

        def spectrum(x: Array = signals[n]) -> None:
            hht.hilbert_spectrum(x, RATE_HZ, hht.SpectrumConfig(decomposition="emd"), n_threads=1)

        yield Comparison(
            f"256 x 256 with EMD, against emd, N={n}",
            spectrum,
            partial(lambda x: peers.emd_spectrum(x), signals[n]),
            peers.emd is not None,
            25,
        )
        yield Comparison(
            f"256 x 256 with EMD, against upstream's, N={n}",
            spectrum,
            partial(lambda x: peers.upstream_matrix(x, use_ceemdan=False), signals[n]),
            peers.upstream is not None,
            250,
        )
    yield Comparison(
        "upstream's matrix, identical, N=2000",
        lambda: hht.hilbert_spectrum(x, RATE_HZ, hht.SpectrumConfig(decomposition="upstream"), n_threads=1),
        lambda: peers.upstream_matrix(x),
        peers.upstream is not None,
        100,
    )
    for n, n_trials in ((2000, 50), (2000, 100), (5000, 50)):
        yield Comparison(
            f"ICEEMDAN, noise bank, against ICEEMDAN-MKL, N={n}, {n_trials} trials",
            partial(lambda x, t: hht.iceemdan(x, t, noise="bank", n_threads=1), signals[n], n_trials),
            partial(lambda x, t: peers.mkl_iceemdan(x, t), signals[n], n_trials),
            peers.mkl is not None,
            6,
        )


def compare_with_peers(folder: Path, rounds: int) -> None:
    warnings.simplefilter("ignore")  # of the peers
    print(f"{'task':54} {'ours ms':>9} {'peer ms':>10} {'ratio':>8} {'goal':>6}")
    for row in comparisons(Peers.load(folder)):
        if not row.is_installed:
            print(f"{row.name:54} {'peer not installed':>29}")
            continue
        own, peer = interleaved_cpu_s(row.ours, row.theirs, rounds)
        verdict = "" if peer / own >= row.goal else "  missed"
        print(f"{row.name:54} {own * 1e3:9.3f} {peer * 1e3:10.1f} {peer / own:8.1f} {row.goal:6}{verdict}", flush=True)


def cpu_s(work: Callable[[], object], repeats: int = 1) -> float:
    """CPU seconds per call."""
    start = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - start) / repeats


def repeats_for(work: Callable[[], object], least_s: float) -> int:
    """Number of calls that take at least ``least_s`` seconds, after one call to warm up."""
    work()
    return max(1, int(least_s / max(cpu_s(work), 1e-6)))


def median_cpu_s(work: Callable[[], object], rounds: int = 15) -> float:
    """Median CPU seconds of one call, over rounds of at least 10 ms."""
    repeats = repeats_for(work, 0.01)
    return statistics.median(cpu_s(work, repeats) for _ in range(rounds))


def alternating_cpu_s(*works: Callable[[], object], rounds: int = 31) -> list[float]:
    """Median CPU seconds of one call of each, which take turns, so that all meet the same clock and the same load."""
    repeats = [repeats_for(work, 0.002) for work in works]
    times = [[cpu_s(work, n) for work, n in zip(works, repeats, strict=True)] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def interleaved_cpu_s(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median CPU seconds of each side; each round calls the peer once and ours for at least 20 ms."""
    theirs()
    repeats = repeats_for(ours, 0.02)
    pairs = [(cpu_s(theirs), cpu_s(ours, repeats)) for _ in range(rounds)]
    peer, own = zip(*pairs, strict=True)
    return statistics.median(own), statistics.median(peer)


def compare_decompositions(folder: Path) -> None:
    """Every method on the first channel of every tenth recording (CSV without header, one row per sample)."""
    import numpy as np

    from semg_hht import hht

    files = [path for path in sorted(folder.rglob("*.csv")) if not path.name.startswith("manifest")][::10]
    signals = [np.ascontiguousarray(np.loadtxt(path, delimiter=",", ndmin=2)[:, 0]) for path in files]
    print(f"{len(signals)} recordings; orthogonality and mixing: lower is better")
    print(f"{'method':10} {'ms':>7} {'IMFs':>6} {'orthogonality':>14} {'mixing':>8} {'dropped':>8} {'repeats':>8}")
    for name in hht.DECOMPOSITIONS:
        figures = []
        start = time.process_time()
        for x in signals:
            first, second = (
                hht.hilbert_spectrum(x, RATE_HZ, hht.SpectrumConfig(decomposition=name, seed=seed), n_threads=1)
                for seed in (0, 1)
            )
            correlation = np.corrcoef(first.power.ravel(), second.power.ravel())[0, 1]
            figures.append((first.n_imfs, first.dropped, correlation))
        seconds = (time.process_time() - start) / 2 / len(signals)
        method: Any = {"mask": hht.masked_sift, "upstream": hht.upstream_ceemdan}.get(name) or getattr(hht, name)
        options = {} if name in ("emd", "mask") else {"n_trials": 30 if name == "upstream" else 50}
        n_imfs, dropped, correlation = np.median(figures, axis=0)
        across, mixing = np.median([orthogonality_and_mixing(method(x, **options)) for x in signals], axis=0)
        print(
            f"{name:10} {seconds * 1e3:7.1f} {n_imfs:6.0f} {across:14.4f} {mixing:8.3f} {dropped:8.3f} "
            f"{correlation:8.3f}"
        )


def orthogonality_and_mixing(rows: Array) -> tuple[float, float]:
    """Huang's index of orthogonality (cross terms over energy) and the mean overlap of neighbouring IMFs' spectra.

    The overlap is the cosine between power spectra smoothed over about 5 Hz: 1 if two IMFs cover the same band.
    """
    import numpy as np

    imfs = rows[:-1]
    cross = imfs @ imfs.T
    energy = float(np.sum(rows.sum(axis=0) ** 2))
    spectra = np.abs(np.fft.rfft(imfs[:5], axis=1)) ** 2
    smooth = np.array([np.convolve(row, np.ones(15), mode="same") for row in spectra])
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
    overlap = np.sum(smooth[1:] * smooth[:-1], axis=1)
    return abs(float(cross.sum() - np.trace(cross))) / energy, float(overlap.mean())


def band_limited(n_samples: int, seed: int = 1) -> Array:
    """Noise in the band of surface EMG (n_samples,), in millivolts."""
    import numpy as np
    from scipy.signal import butter, sosfiltfilt

    white = np.random.default_rng(seed).standard_normal(n_samples)
    band = butter(4, [20, 450], "band", fs=RATE_HZ, output="sos")
    return np.ascontiguousarray(sosfiltfilt(band, white))


def measure_ours() -> None:
    """Cost per sample and sift, growth with N and trials, memory, and two cores against one."""
    import numpy as np

    from semg_hht import hht
    from semg_hht.hht import kernel
    from semg_hht.hht.spectrum import power_on_grid
    from semg_hht.hht.stopping import RULES
    from semg_hht.matrices.density import DensityConfig, power_density
    from semg_hht.matrices.scaling import scale_power

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hht.iceemdan(band_limited(20000), 100, n_threads=1)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"peak memory that ICEEMDAN of N=20000 with 100 trials adds: {grown:.0f} MiB (samples of a trial: 0.15 MiB)")
    builds = kernel.compiled.builds() if kernel.compiled else ()
    print(f"\nbuilds that this processor can run: {', '.join(builds) or 'none, NumPy'}; the last is used")
    # cells, density: the stage from IMFs to scaled values without and with the density (goal: ratio below 1.3)
    columns = f"{'sift us':>9} {'grid us':>9} {'grid/sift':>9} {'cells us':>9} {'density us':>10} {'ratio':>6}"
    print(f"{'N':>8} {columns} {'sifts':>6} {'ns/sample/sift':>15}   (goals: grid/sift 1, ns 3)")
    for n in (1000, 2000, 5000, 20000, 120000):
        x = band_limited(n)
        rows, n_imfs, n_sifts = kernel.decompose(x[None], RULES["sd"])
        sift, grid = alternating_cpu_s(
            partial(lambda x: kernel.decompose(x[None], RULES["sd"]), x),
            partial(lambda rows, n: power_on_grid(rows[0, :n], RATE_HZ, (20.0, 450.0)), rows, n_imfs[0]),
        )
        time_s = (np.arange(256) + 0.5) / 256 * n / RATE_HZ
        power, _ = power_on_grid(rows[0, : n_imfs[0]], RATE_HZ, (20.0, 450.0))

        def values(power: Array = power, time_s: Array = time_s) -> object:
            return scale_power(power_density(power, time_s, DensityConfig()), "log")

        cells = grid + median_cpu_s(partial(lambda power: scale_power(power, "log"), power))
        density = grid + median_cpu_s(values)
        cost = sift * 1e9 / n / n_sifts.sum()
        stages = f"{sift * 1e6:9.0f} {grid * 1e6:9.0f} {grid / sift:9.2f} {cells * 1e6:9.0f} {density * 1e6:10.0f}"
        print(f"{n:8} {stages} {density / cells:6.2f} {n_sifts.sum():6} {cost:15.2f}")
    x = band_limited(2000)
    for trials in (25, 50, 100, 200):
        seconds = median_cpu_s(partial(hht.iceemdan, x, trials, n_threads=1), 5)
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
                start = time.perf_counter()
                cpu.append(cpu_s(partial(work, threads)))
                wall.append(time.perf_counter() - start)
            ratios.append(wall[0] / wall[1])
            extra.append(cpu[1] / cpu[0])
        print(
            f"two cores against one, {name}: {statistics.median(ratios):.2f} (best {max(ratios):.2f}, goal 1.8); "
            f"CPU time, two threads over one: {statistics.median(extra):.2f}"
        )


if __name__ == "__main__":
    main()
