"""The Hilbert-Huang transform alone: from one recording to IMFs, a spectrum and a picture. No training, no torch.

python examples/transform_only.py curl.csv 1000 spectrum.png
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws without a screen
import matplotlib.pyplot as plt

import semg_hht as sh


def main(file: Path, rate_hz: float, picture: Path) -> None:
    recording = sh.read_recording(file, rate_hz=rate_hz)
    signal = recording.samples[0]  # (n_samples,) of the first channel
    imfs = sh.hht.emd(signal)  # (n_imfs, n_samples); the last row is the residue
    spectrum = sh.hht.hilbert_spectrum(signal, rate_hz=recording.rate_hz)  # .power is (256, 256): frequency, time
    print(f"{recording.n_samples} samples at {recording.rate_hz:g} Hz: {len(imfs) - 1} IMFs and a residue")
    print(f"{100 * spectrum.dropped:.1f} % of the energy lies outside the frequency axis")

    figure, axes = plt.subplots()
    axes.pcolormesh(spectrum.time_s, spectrum.frequency_hz, spectrum.power**0.5)
    axes.set(xlabel="time (s)", ylabel="frequency (Hz)", title=f"Hilbert spectrum of {file.name}")
    figure.savefig(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
