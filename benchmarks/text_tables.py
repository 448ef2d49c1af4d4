"""Text tables read by our reader, and by pandas and polars with the separator and the encoding that libraries detect.

    pip install pandas polars clevercsv charset-normalizer
    python benchmarks/text_tables.py --data FOLDER [FOLDER ...] [--megabytes 200] [--rounds 3]
    python benchmarks/text_tables.py --megabytes 3000 --rounds 1 --readers ours

The first table counts the text files below each FOLDER that each way reads right: every channel that our reader returns
is a column of numbers, with the same samples and, where our reader has names, under its name (the library may keep the
unit in it). Rates, units, time columns and the choice of EMG channels are no part of this: no library reads them. Files
that our reader refuses without a rate are read with 1000 Hz. The second table gives time and peak memory, as whole
processes, for a plain table of 8 channels without any header, the easiest case. POSIX only.
"""

from __future__ import annotations

import argparse
import collections
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from measurement import median_cost, python_process

PLAIN = {
    "ours": "from semg_hht import read_recording\nread_recording(sys.argv[1], rate_hz=1000)",
    "pandas": "import pandas\npandas.read_csv(sys.argv[1], header=None).to_numpy()",
    "polars": "import polars\npolars.read_csv(sys.argv[1], has_header=False).to_numpy()",
}
RATE_HZ = 1000.0


def write_table(path: Path, megabytes: float, n_channels: int = 8) -> int:
    """Write a table without a header, of about ``megabytes``; returns its number of lines."""
    import numpy as np

    values = np.random.default_rng(0).standard_normal((20_000, n_channels))
    block = "\n".join(",".join(f"{value:.6f}" for value in row) for row in values) + "\n"
    n_blocks = max(1, round(megabytes * 1e6 / len(block)))
    with path.open("w", encoding="ascii", newline="") as handle:
        for _ in range(n_blocks):
            handle.write(block)
    return n_blocks * len(values)


def with_pandas(path: Path) -> dict[str, Any]:
    import pandas

    encoding, separator, has_names = detected(path)
    frame = pandas.read_csv(path, sep=separator, encoding=encoding, header=0 if has_names else None)
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def with_polars(path: Path) -> dict[str, Any]:
    import polars

    encoding, separator, has_names = detected(path)
    text = path.read_bytes().decode(encoding).encode()
    frame = polars.read_csv(text, separator=separator, has_header=has_names, infer_schema_length=None)
    return {column.name: column.to_numpy() for column in frame}


def detected(path: Path) -> tuple[str, str, bool]:
    """Encoding by charset-normalizer; separator, and whether the first line holds names, by clevercsv."""
    import charset_normalizer
    import clevercsv

    head = path.read_bytes()[: 2**14]
    best = charset_normalizer.from_bytes(head).best()
    encoding = best.encoding if best is not None and best.encoding != "ascii" else "utf-8"
    sample = "".join(head.decode(encoding, errors="replace").splitlines(keepends=True)[:60])
    sniffer = clevercsv.Sniffer()
    return encoding, sniffer.sniff(sample).delimiter or ",", bool(sniffer.has_header(sample))


def is_recording(path: Path) -> bool:
    """Whether it is a text file, and no manifest, table of labels, hidden copy or description."""
    if path.suffix.lower() not in (".csv", ".txt", ".tsv") or path.name.startswith("._"):
        return False
    with path.open("rb") as handle:
        first = handle.readline().lower()
    return path.name not in ("Info.txt", "labels.csv") and not first.startswith(
        (b"file,", b"\xef\xbb\xbffile,", b"name\t")
    )


def is_right(columns: dict[str, Any], expected: Any) -> bool:
    """Whether the columns hold all channels of our recording, under their names."""
    import numpy as np

    numbers = {name: values.astype(float) for name, values in columns.items() if values.dtype.kind in "biuf"}
    factor = {"V": 1.0, "mV": 1e3, "uV": 1e6}
    table, names = expected.table, expected.channel_names
    for i in range(table.shape[1]):
        matching = [
            name
            for name, values in numbers.items()
            if len(values) == len(table)
            and any(np.allclose(values * scale, table[:, i], rtol=1e-9, equal_nan=True) for scale in scales(factor))
        ]
        if not any(not names or names[i] in name for name in matching):
            return False
    return True


def scales(factor: dict[str, float]) -> set[float]:
    """Our reader scales channels of different units to one of them."""
    return {a / b for a in factor.values() for b in factor.values()}


def on_files(folder: Path) -> None:
    from semg_hht import InputError
    from semg_hht.recordings.formats.readers import reader_of

    ways: dict[str, Callable[[Path], dict[str, Any]]] = {"pandas": with_pandas, "polars": with_polars}
    right: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for path in filter(is_recording, sorted(folder.rglob("*"))):
        kind = path.relative_to(folder).parts[0]
        right[kind]["files"] += 1
        try:
            expected = reader_of(path).read(path, RATE_HZ)
        except InputError as error:
            print(f"  ours: {error}")
            continue
        right[kind]["ours"] += 1
        for name, read in ways.items():
            try:
                right[kind][name] += is_right(read(path), expected)
            except Exception:  # of any kind: the library does not read the file
                right[kind][name] += 0
    print(f"\n{folder.name}: text files read right")
    print(f"  {'':36} {'files':>6} {'ours':>6} {'pandas':>7} {'polars':>7}")
    right["all"] = sum(right.values(), collections.Counter())
    for kind, n in right.items():
        print(f"  {kind:36} {n['files']:6d} {n['ours']:6d} {n['pandas']:7d} {n['polars']:7d}", flush=True)


def on_plain_table(megabytes: float, rounds: int, readers: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        n_lines = write_table(path, megabytes)
        print(
            f"\n{path.stat().st_size / 1e6:.0f} MB of text, {n_lines:,} lines, {n_lines * 64 / 1e6:.0f} MB in float64"
        )
        print(f"  {'':12} {'seconds':>8} {'of processors':>14} {'peak MB':>8}")
        for name in readers:
            script = f"import sys\nfrom pathlib import Path\n{PLAIN[name]}"
            cost = median_cost([python_process("-c", script, path) for _ in range(rounds)])
            print(
                f"  {name:12} {cost.seconds:8.2f} {cost.cpu_seconds:14.2f} {cost.peak_mib * 1.048576:8.0f}", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--readers", nargs="+", choices=PLAIN, default=list(PLAIN), help="of the plain table")
    given = parser.parse_args()
    # Processes come first: a process starts with the peak memory of its parent.
    on_plain_table(given.megabytes, given.rounds, given.readers)
    warnings.simplefilter("ignore")  # of pandas: columns of mixed types
    for folder in given.data:
        on_files(folder)


if __name__ == "__main__":
    main()
