"""Read and write 256 x 256 matrices in npz files: those of this program, with axes and settings, and of other tools.

It does not know recordings, labels or networks. No pickle is loaded, so a file can't run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.matrices.scaling import min_max
from semg_hht.system.arguments import checked
from semg_hht.system.files import BROKEN_JSON, BROKEN_NPZ, require_file, whole_file
from semg_hht.system.numpy_files import arrays_in_npz, shapes_in_npz

SIZE = 256
MATRIX_KEYS = ("hht", "spectrum")
MAX_PLANES = 1024  # a header that claims more is broken or hostile; refused before memory is allocated
MAX_NUMBERS = 4096  # of a vector that describes a repetition; likewise
VECTORS = ("mixing", "profile")  # keys of the vectors that describe a repetition
REFERENCE_KEY = "reference"  # among the features in a file


@dataclass(frozen=True, repr=False)
class Matrix:
    """The input of the network for one example.

    values : (n_planes, 256, 256) float32 [plane, frequency, time].
    settings : how it was prepared (see `PipelineConfig`); None for a matrix of another tool. As the scale of such a
        matrix is unknown, `read_matrix` stretches its values to 0..1.
    frequency_hz, time_s : centres of the bins, (256,) each; None where the file does not state them.
    features : classical features of the same samples, name -> one value per plane; empty where unknown.
    reference : the reference amplitude of each plane's channel over the mean of the repetition's channels; empty where
        unknown.
    covariance : logarithm of the lagged covariance of all channels of the repetition, (n,), the same for each of its
        matrices (see `semg_hht.signals.covariance`); None where unknown. Files call it ``mixing``.
    profile : logarithm of the power of each channel of the repetition in bands and parts, (n,), likewise the same for
        each of its matrices (see `semg_hht.signals.profile`); None where unknown.
    rate_hz, units : of the recording, as the file states them; None and empty where it does not.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"]).crop(0, 5)
    >>> prepared = sh.prepare(recording, "one_matrix_each")
    >>> matrix = sh.read_matrix(next(prepared.folder.glob("hht_matrices/*.npz")))
    >>> matrix.values.shape
    (1, 256, 256)
    """

    values: NDArray[np.float32]
    settings: dict[str, Any] | None = None
    frequency_hz: NDArray[np.float64] | None = None
    time_s: NDArray[np.float64] | None = None
    features: dict[str, tuple[float, ...]] = field(default_factory=dict)
    reference: tuple[float, ...] = ()
    covariance: NDArray[np.float64] | None = None
    profile: NDArray[np.float64] | None = None
    rate_hz: float | None = None
    units: str = ""

    def __repr__(self) -> str:
        axes = [f"{axis[0]:.4g} to {axis[-1]:.4g} {unit}" for axis, unit in
                ((self.frequency_hz, "Hz"), (self.time_s, "s")) if axis is not None]  # fmt: skip
        return f"<Matrix: values {self.values.shape}, {', '.join(axes) or 'of another tool, axes not stated'}>"

    def plane(self, i: int) -> Matrix:
        """The matrix of one plane alone."""
        return replace(
            self,
            values=self.values[i : i + 1],
            features={name: (values[i],) for name, values in self.features.items()},
            reference=self.reference[i : i + 1],
        )

    @property
    def stored_features(self) -> dict[str, tuple[float, ...]]:
        """Features and reference in one table, as files keep them."""
        return self.features | ({REFERENCE_KEY: self.reference} if self.reference else {})


def split_reference(
    stored: Mapping[str, tuple[float, ...]],
) -> tuple[dict[str, tuple[float, ...]], tuple[float, ...]]:
    """Features and reference from the table that files keep; the inverse of `Matrix.stored_features`."""
    features = {name: values for name, values in stored.items() if name != REFERENCE_KEY}
    return features, stored.get(REFERENCE_KEY, ())


def is_matrix_file(path: Path) -> bool:
    """Whether an npz holds a matrix rather than a recording. A broken file counts as a matrix: reading it says why."""
    if path.suffix.lower() != ".npz":
        return False
    try:
        shapes = _shapes(path)
    except InputError:
        return True
    return any(key in shapes for key in MATRIX_KEYS) or (SIZE, SIZE) in shapes.values()


@checked
def read_matrix(path: str | Path) -> Matrix:
    """Read key ``hht``, else ``spectrum``, else the only two-dimensional array.

    Raises
    ------
    InputError
        Not an npz, cut short, no such array, not 256 x 256, an array of objects, NaN or infinite values.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"]).crop(0, 5)
    >>> prepared = sh.prepare(recording, "to_be_read")
    >>> matrix = sh.read_matrix(prepared.folder / "hht_matrices" / prepared.to_dataframe()["file"][0].split("/")[-1])
    """
    path = Path(path)
    shapes = _shapes(path)
    key = next((key for key in MATRIX_KEYS if key in shapes), None)
    if key is None:
        two_dimensional = [name for name, shape in shapes.items() if len(shape) == 2]
        if len(two_dimensional) != 1:
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no arrays"
            raise InputError(
                f"{path}: expected a matrix under 'hht' or 'spectrum', or a single 2-D array; found {listed}"
            )
        key = two_dimensional[0]
    shape = shapes[key]
    if len(shape) not in (2, 3) or shape[-2:] != (SIZE, SIZE) or not 1 <= (*shape, 1)[0] <= MAX_PLANES:
        raise InputError(f"{path}: expected a matrix of {SIZE}x{SIZE} under {key!r}; found {'x'.join(map(str, shape))}")
    sides = {"settings": (), "features": (), "frequency_hz": (SIZE,), "time_s": (SIZE,)}
    for name, expected in sides.items():
        if shapes.get(name, expected) != expected:
            raise InputError(f"{path}: expected {name!r} of shape {expected}; found {shapes[name]}")
    for name in VECTORS:
        if name in shapes and (len(shapes[name]) != 1 or shapes[name][0] > MAX_NUMBERS):
            raise InputError(f"{path}: expected {name!r} of shape (n,), n at most {MAX_NUMBERS}; found {shapes[name]}")
    stated = {name for name in ("rate_hz", "units") if shapes.get(name) == ()}
    arrays = _load(path, {key, *stated, *(name for name in (*sides, *VECTORS) if name in shapes)})
    raw = arrays[key]
    if raw.dtype.kind not in "biuf":
        raise InputError(f"{path}: expected numbers under {key!r}; found {raw.dtype}")
    values = raw.reshape(-1, SIZE, SIZE)  # (256, 256) or (n_planes, 256, 256) -> (n_planes, 256, 256)
    n_bad = int(np.count_nonzero(~np.isfinite(values)))
    if n_bad:
        raise InputError(f"{path}: expected finite values; {n_bad} of {values.size} are NaN or infinite")
    settings = _json_object(path, "settings", arrays)
    stored = _json_object(path, "features", arrays) or {}
    if settings is None:
        values = np.stack([min_max(plane) for plane in values.astype(np.float64)])
    features, reference = split_reference(_checked_features(path, stored, len(values)))
    return Matrix(
        values=np.ascontiguousarray(values, dtype=np.float32),
        settings=settings,
        frequency_hz=arrays.get("frequency_hz"),
        time_s=arrays.get("time_s"),
        features=features,
        reference=reference,
        covariance=_checked_vector(path, "mixing", arrays),
        profile=_checked_vector(path, "profile", arrays),
        rate_hz=_rate_hz(arrays.get("rate_hz")),
        units=str(arrays["units"]) if "units" in stated and arrays["units"].dtype.kind == "U" else "",
    )


def _rate_hz(stored: NDArray[Any] | None) -> float | None:
    """The rate, if it is a number above 0."""
    rate_hz = float(stored) if stored is not None and stored.dtype.kind in "iuf" else 0.0
    return rate_hz if 0 < rate_hz < np.inf else None


def write_matrix(path: Path, matrix: Matrix, **facts: Any) -> None:
    """Write a matrix with its axes, its settings and further facts (source, rate_hz, dropped)."""
    values: NDArray[Any] = matrix.values[0] if matrix.values.shape[0] == 1 else matrix.values
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    is_density = np.array_equal(half, values)  # the transform rounds it
    if is_density:
        values = half
    arrays: dict[str, Any] = {"hht": values, **{name: np.asarray(value) for name, value in facts.items()}}
    if matrix.frequency_hz is not None and matrix.time_s is not None:
        arrays |= {"frequency_hz": matrix.frequency_hz, "time_s": matrix.time_s}
    arrays["settings"] = np.array(json.dumps(matrix.settings, sort_keys=True))
    if matrix.stored_features:
        arrays["features"] = np.array(json.dumps(matrix.stored_features))
    if matrix.covariance is not None:
        arrays["mixing"] = matrix.covariance
    if matrix.profile is not None:
        arrays["profile"] = matrix.profile
    # Compressing a density takes 8 ms, six times as long as writing it, and saves a fifth of its size.
    save = np.savez if is_density else np.savez_compressed
    with whole_file(path) as part, part.open("wb") as handle:
        save(handle, **arrays)


def read_facts(path: Path) -> dict[str, Any]:
    """The scalars stored with a matrix (source, key, rate_hz ...), without reading the matrix.

    Raises
    ------
    InputError
        Not an npz, or cut short.
    """
    names = {name for name, shape in _shapes(path).items() if shape == ()}
    return {name: value.item() for name, value in _load(path, names).items()}


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays, from their headers alone."""
    require_file(path)
    try:
        return shapes_in_npz(path)
    except InputError:
        raise
    except BROKEN_NPZ as error:
        raise InputError(f"{path}: can't be read as npz (cut short, or another format); {error}") from None


def _load(path: Path, keys: set[str]) -> dict[str, NDArray[Any]]:
    try:
        return arrays_in_npz(path, keys)
    except BROKEN_NPZ as error:
        raise InputError(
            f"{path}: can't be read (cut short, or an array of objects, which is never unpickled); {error}"
        ) from None


def _json_object(path: Path, name: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any] | None:
    if name not in arrays:
        return None
    try:
        content = json.loads(str(arrays[name]))
    except BROKEN_JSON as error:
        raise InputError(f"{path}: expected the {name} as JSON; {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected the {name} as a JSON object; found {type(content).__name__}")
    return content


def _checked_features(path: Path, features: dict[str, Any], n_planes: int) -> dict[str, tuple[float, ...]]:
    for name, numbers in features.items():
        if not isinstance(numbers, list) or len(numbers) != n_planes or not all(isinstance(n, float) for n in numbers):
            raise InputError(f"{path}: expected {n_planes} numbers as feature {name!r}; found {numbers!r:.60}")
    return {name: tuple(numbers) for name, numbers in features.items()}


def _checked_vector(path: Path, name: str, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float64] | None:
    vector = arrays.get(name)
    if vector is not None and (vector.dtype.kind != "f" or not np.isfinite(vector).all()):
        raise InputError(f"{path}: expected finite numbers under {name!r}")
    return vector
