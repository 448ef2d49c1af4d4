"""Read every recording below folders and print what was read right, a row for each kind of file or device.

    python benchmarks/formats.py FOLDER [FOLDER ...] [--at_most N]

A kind is known by the place of its files (KINDS), or else by its suffix; every suffix with a reader is tried. Files are
read with the rate that the manifest beside them states. The cells count files:

    read      without an error, with the expected number of EMG channels.
    rate      right within 1 %; in brackets: how many files state it themselves, and how many state another one.
    units     as the file states them; none expected where it states none.
    names     of the EMG channels, as written in the file.
    set apart the channels that are not EMG, as many as there are.
    plausible repetitions: as many as a person marked, or, within 1 or 20 %, as the knee bends; otherwise at most two in
              10 s or less, where one contraction was recorded, and at least two in longer recordings, which cover at
              most 90 % of it, with a median confidence of at least 0.5.

"-": nothing is known that it could be compared with.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from segmentation import MARKED, bends_of

from semg_hht import InputError
from semg_hht.recordings.formats.readers import READERS
from semg_hht.recordings.recording import Recording, read_recording
from semg_hht.signals.repetitions import find_repetitions

COLUMNS = ("read", "rate", "units", "names", "set apart", "plausible")
LONG_S = 10.0
MAX_SHARE = 0.9
MAX_MESSAGE = 300  # characters


@dataclass(frozen=True)
class Kind:
    """What is known of the files of one device, from their manifests, headers and descriptions.

    pattern : of the paths, relative to the folder of all data.
    rate_hz : of all files; ``is_given``: the rate is passed to the reader, because not all files state it, or rightly.
    units : as the file states them; empty: it states none.
    names : of the EMG channels; each is one of several spellings that the files use. Empty: the file has none.
    n_emg, n_other : channels that are EMG, and that are not.
    is_recording : a file that is none must be refused, and that counts as read.
    """

    title: str
    pattern: str
    rate_hz: float
    n_emg: int
    units: str = ""
    names: tuple[tuple[str, ...], ...] = ()
    n_other: int = 0
    is_given: bool = True
    is_recording: bool = True


THIGH = (("Recto Femoral", "Recto Femo", "RF"), ("Biceps Femoral", "Biceps Fem", "BF"), ("Vasto Medial", "VM"),
         ("EMG Semitendinoso", "ST"))  # fmt: skip
KINDS = (
    Kind("CSV without header, forearm", "contraction_intensity/*/*.csv", 1000, 8),
    Kind("CSV, Myo armband", "myo_armband/*/*/*.csv", 200, 8, "", tuple((f"EMG{i}",) for i in range(1, 9))),
    Kind("MAT 7.3 struct, Noraxon", "elbow_flexors/*.mat", 2000, 2, "uV", (("BicepsBrachi",), ("Brachioradialis",))),
    Kind("MAT 5, Myo armband and force", "grip_force/*.mat", 200, 8),
    Kind("TXT, Biometrics DataLOG", "knee_angle/*.txt", 1000, 4, "mV", THIGH, 1),
    Kind("CSV, thigh and knee angle", "formats/lower_limb/*.csv", 1000, 4, "", THIGH, 1),
    Kind("HDF5, PLUX", "formats/biosignalsnotebooks/*.h5", 1000, 1, "adc", is_given=False),
    Kind("TXT, BioSPPy", "formats/biosppy/*.txt", 1000, 1, "", (("EMG",),), is_given=False),
    *(Kind("NPZ, no recording: refused", pattern, 0, 0, is_recording=False)
      for pattern in ("hilbert_matrix/*.npz", "hht_references.npz", "matrix.npz", "gender.npz")),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--at_most", type=int, help="files of each kind, evenly spaced; all without it")
    given = parser.parse_args()
    notes: list[str] = []
    print(f"| files | number | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 2)}")
    for folder in given.folders:
        for title, (kind, paths) in kinds_of(folder).items():
            paths = paths[:: -(-len(paths) // given.at_most) if given.at_most else 1]
            right: collections.Counter[str] = collections.Counter()
            for path in paths:
                compare(path, kind, right, notes)
            print(
                f"| {title} | {len(paths)} | {' | '.join(cell(c, kind, len(paths), right) for c in COLUMNS)} |",
                flush=True,
            )
    print("\n" + "\n".join(notes or ["every file was read, and no repetitions are in doubt"]))


def kinds_of(folder: Path) -> dict[str, tuple[Kind | None, list[Path]]]:
    """The recordings below ``folder`` by kind; other files than those of a known kind are grouped by suffix."""
    found: dict[str, tuple[Kind | None, list[Path]]] = {}
    for path in recordings(folder):
        kind = next((kind for kind in KINDS if path.relative_to(folder).match(kind.pattern)), None)
        found.setdefault(kind.title if kind else f"other {path.suffix.lower()}", (kind, []))[1].append(path)
    return found


def recordings(folder: Path) -> Iterator[Path]:
    """Files of suffixes that have a reader, except hidden ones, manifests, and descriptions."""
    for path in sorted(folder.rglob("*")):
        is_table = path.name.startswith("manifest") or path.name == "Info.txt"
        if path.suffix.lower() in READERS and not is_table and not path.name.startswith("."):
            yield path


def compare(path: Path, kind: Kind | None, right: collections.Counter[str], notes: list[str]) -> None:
    """Count what of one file was read right."""
    try:
        recording = read_recording(path, rate_hz=kind.rate_hz if kind and kind.is_given else None)
        emg = recording.select(())
    except InputError as error:
        if kind is not None and not kind.is_recording:
            right["read"] += 1
        else:
            notes.append(str(error)[:MAX_MESSAGE])
        return
    if kind is None:
        right["read"] += 1
    else:
        expected = kind.names or tuple((f"ch{i + 1}",) for i in range(kind.n_emg))
        names_agree = all(name in names for name, names in zip(emg.channel_names, expected, strict=False))
        right["read"] += len(emg.samples) == kind.n_emg
        right["rate"] += abs(recording.rate_hz - kind.rate_hz) <= 0.01 * kind.rate_hz
        right["units"] += recording.units == kind.units
        right["names"] += names_agree or not kind.names
        right["set apart"] += len(recording.non_emg) == kind.n_other
        right[stated_rate(path, kind.rate_hz)] += 1
    doubt = doubt_about(recording)
    right["plausible"] += not doubt
    if doubt:
        notes.append(f"{path}: {doubt}")


def stated_rate(path: Path, rate_hz: float) -> str:
    """Whether the file itself states this rate, another one or none."""
    try:
        stated_hz = read_recording(path).rate_hz
    except InputError:
        return "none stated"
    return "stated" if abs(stated_hz - rate_hz) <= 0.01 * rate_hz else "stated otherwise"


def doubt_about(recording: Recording) -> str:
    """Why the detected repetitions are not plausible, by the rule of this module's first lines; empty: they are."""
    found = find_repetitions(recording.select(()))
    marked = json.loads(MARKED.read_text()).get(Path(recording.source).name)
    angle = [i for i, name in enumerate(recording.channel_names) if name in recording.non_emg]
    if marked is not None:
        return "" if len(found) == len(marked) else f"{len(found)} repetitions, {len(marked)} were marked"
    if len(angle) == 1:
        n_bends = len(bends_of(recording.samples[angle[0]], recording.rate_hz))
        is_near = abs(len(found) - n_bends) <= max(1, 0.2 * n_bends)
        return "" if is_near else f"{len(found)} repetitions, the knee bends {n_bends} times"
    if recording.duration_s <= LONG_S:
        return "" if len(found) <= 2 else f"{len(found)} repetitions in {recording.duration_s:.0f} s"
    share = sum(repetition.stop - repetition.start for repetition in found) / recording.n_samples
    confidence = float(np.median([r.confidence for r in found])) if found else 0.0
    if len(found) >= 2 and share <= MAX_SHARE and confidence >= 0.5:
        return ""
    return f"{len(found)} repetitions, {100 * share:.0f} % of the recording, median confidence {confidence:.2f}"


def cell(column: str, kind: Kind | None, n: int, right: collections.Counter[str]) -> str:
    if kind is None and column not in ("read", "plausible"):
        return "-"
    if kind is not None and not kind.is_recording and column != "read":
        return "-"
    if kind is not None and column == "names" and not kind.names:
        return "-"
    text = f"{right[column]}/{n}"
    if column == "rate":
        others = f", {right['stated otherwise']} another" if right["stated otherwise"] else ""
        text += f" ({right['stated']} stated{others})"
    return text


if __name__ == "__main__":
    main()
