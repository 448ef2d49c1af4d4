"""matrix.py: npz files in and out, hostile ones too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from builders import Payload, claimed_npy, foreign_matrix, npy, truncate, write_members, write_npz
from semg_hht.errors import InputError
from semg_hht.matrices.matrix import Matrix, is_matrix_file, read_facts, read_matrix, write_matrix

AXIS = np.arange(256) + 0.5


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape or (256, 256), dtype=np.float32)


@pytest.mark.parametrize("n_planes", [1, 3])
def test_a_matrix_written_is_read_back(tmp_path: Path, n_planes: int) -> None:
    matrix = Matrix(random(n_planes, 256, 256), {"scaling": "log", "band_hz": [20, 450]}, AXIS, AXIS / 100)
    write_matrix(tmp_path / "a.npz", matrix, rate_hz=1000.0, source="curl.csv")
    back = read_matrix(tmp_path / "a.npz")
    assert_allclose(back.values, matrix.values, rtol=0)
    assert back.settings == matrix.settings
    assert repr(back) == f"<Matrix: values ({n_planes}, 256, 256), 0.5 to 255.5 Hz, 0.005 to 2.555 s>"
    assert repr(Matrix(back.values)).endswith(", of another tool, axes not stated>")
    assert_allclose(back.frequency_hz, AXIS)
    assert_allclose(back.time_s, AXIS / 100)


@pytest.mark.parametrize(("stored", "rate_hz"), [(1000, 1000.0), (np.nan, None), (-5.0, None), ("fast", None)])
def test_the_rate_and_the_units_of_the_recording_are_read_where_they_make_sense(
    tmp_path: Path, stored: object, rate_hz: float | None
) -> None:
    back = read_matrix(write_npz(tmp_path / "a.npz", hht=random(), rate_hz=np.array(stored), units=np.array("uV")))
    assert (back.rate_hz, back.units) == (rate_hz, "uV")
    unknown = read_matrix(write_npz(tmp_path / "b.npz", hht=random(), rate_hz=np.ones(3), units=np.array(3)))
    assert (unknown.rate_hz, unknown.units) == (None, "")


def test_our_files_have_the_keys_of_the_contract(tmp_path: Path) -> None:
    matrix = Matrix(random(1, 256, 256), {"scaling": "log"}, AXIS, AXIS)
    write_matrix(tmp_path / "a.npz", matrix, rate_hz=1000.0, source="curl.csv")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert {"hht", "time_s", "frequency_hz", "rate_hz", "source", "settings"} <= set(archive.files)
        assert archive["hht"].shape == (256, 256)


def test_the_same_matrix_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_matrix(tmp_path / name, Matrix(random(1, 256, 256), {}, AXIS, AXIS))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("arrays", "chosen"),
    [
        ({"hht": 1, "spectrum": 2, "other": 3}, 1),
        ({"spectrum": 2, "other": 3}, 2),
        ({"anything": 3}, 3),
    ],
)
def test_the_key_is_hht_else_spectrum_else_the_only_array(tmp_path: Path, arrays: dict[str, int], chosen: int) -> None:
    content = {name: np.eye(256) * np.arange(256) ** power for name, power in arrays.items()}
    path = write_npz(tmp_path / "a.npz", **content, rate=np.array(1000))
    assert_allclose(read_matrix(path).values[0].diagonal(), (np.arange(256) / 255) ** chosen, rtol=1e-5)


def test_a_matrix_of_another_tool_is_stretched_to_one(tmp_path: Path) -> None:
    matrix = read_matrix(foreign_matrix(tmp_path / "Test1_1_001.npz"))
    assert matrix.settings is None
    assert matrix.frequency_hz is None
    assert matrix.values.shape == (1, 256, 256)
    assert_allclose([matrix.values.min(), matrix.values.max()], [0, 1])


def test_a_foreign_constant_matrix_becomes_zeros(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", hht=np.full((256, 256), 7))
    assert_allclose(read_matrix(path).values, 0, atol=0)


@pytest.mark.parametrize("shape", [(255, 256), (256,), (128, 128), (256, 256, 3), (0, 256, 256), (1, 2, 256, 256)])
def test_a_wrong_shape_says_found_and_expected(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write_npz(tmp_path / "a.npz", hht=np.zeros(shape))
    found = "x".join(map(str, shape))
    with pytest.raises(InputError, match=rf"a\.npz: expected a matrix of 256x256 under 'hht'; found {found}"):
        read_matrix(path)


def test_no_array_or_several_are_listed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a matrix under 'hht' .*; found a \(256, 256\), b \(256, 256\)"):
        read_matrix(write_npz(tmp_path / "a.npz", a=np.zeros((256, 256)), b=np.zeros((256, 256))))
    with pytest.raises(InputError, match="found no arrays"):
        read_matrix(write_npz(tmp_path / "b.npz"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted(tmp_path: Path, bad: float) -> None:
    matrix = np.zeros((256, 256))
    matrix[3, 4:6] = bad
    with pytest.raises(InputError, match=r"a\.npz: expected finite values; 2 of 65536 are NaN or infinite"):
        read_matrix(write_npz(tmp_path / "a.npz", hht=matrix))


@pytest.mark.parametrize("dtype", ["U1", "complex128", "M8[s]"])
def test_text_complex_and_dates_are_refused(tmp_path: Path, dtype: str) -> None:
    path = write_npz(tmp_path / "a.npz", hht=np.zeros((256, 256)).astype(dtype))
    with pytest.raises(InputError, match=r"a\.npz: expected numbers under 'hht'; found"):
        read_matrix(path)


@pytest.mark.parametrize(("key", "shape"), [("hht", (256, 256)), ("settings", ()), ("frequency_hz", (256,))])
def test_an_array_of_objects_is_never_unpickled(tmp_path: Path, key: str, shape: tuple[int, ...]) -> None:
    ran = tmp_path / "ran"
    arrays = {"hht": np.zeros((256, 256)), key: np.full(shape, Payload(ran), dtype=object)}
    path = write_npz(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=r"a\.npz: can't be read \(.*an array of objects, which is never unpickled\)"):
        read_matrix(path)
    assert is_matrix_file(path)
    assert not ran.exists()
    with np.load(path, allow_pickle=True) as archive:  # the trap is armed: a careless reader runs it
        assert archive[key].shape == shape
    assert ran.exists()


@pytest.mark.parametrize("key", ["hht", "frequency_hz", "settings"])
@pytest.mark.parametrize("shape", [(10**13, 256, 256), (10**7, 10**6)])
def test_a_header_that_claims_a_huge_shape_is_refused(tmp_path: Path, key: str, shape: tuple[int, ...]) -> None:
    members = {"hht": npy(random()), key: claimed_npy(shape)}
    path = write_members(tmp_path / "a.npz", **members)
    with pytest.raises(InputError, match=r"a\.npz"):
        read_matrix(path)


def test_a_header_that_claims_many_planes_is_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    path = write_members(tmp_path / "a.npz", hht=claimed_npy((1025, 256, 256)))
    with pytest.raises(InputError, match="found 1025x256x256"):
        read_matrix(path)


def test_a_header_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.npz: can't be read \(cut short"):
        read_matrix(write_members(tmp_path / "a.npz", hht=claimed_npy((256, 256))))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.npz"
    write_matrix(path, Matrix(random(1, 256, 256), {}))
    truncate(path, share)
    assert is_matrix_file(path)
    with pytest.raises(InputError, match=r"a\.npz: can't be read as npz \(cut short, or another format\)"):
        read_matrix(path)


@pytest.mark.parametrize("precision", [np.float16, np.float32])
def test_damaged_bytes_inside_are_found(tmp_path: Path, precision: type[np.floating[Any]]) -> None:
    path = tmp_path / "a.npz"
    write_matrix(path, Matrix(random(1, 256, 256).astype(precision).astype(np.float32), {}))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz: can't be read"):
        read_matrix(path)


def test_only_values_that_compression_makes_smaller_are_compressed(tmp_path: Path) -> None:
    cells = np.where(random(1, 256, 256) > 0.9, random(1, 256, 256), 0)
    for name, values in (("density", cells.astype(np.float16)), ("cells", cells)):
        write_matrix(tmp_path / f"{name}.npz", Matrix(values.astype(np.float32), {}))
    assert (tmp_path / "density.npz").stat().st_size > 256 * 256 * 2
    assert (tmp_path / "cells.npz").stat().st_size < 256 * 256


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.npz: no such file"):
        read_matrix(tmp_path / "a.npz")


def test_an_archive_of_something_else_is_named(tmp_path: Path) -> None:
    write_members(tmp_path / "a.npz", hht=b"not an array at all")
    with pytest.raises(InputError, match=r"a\.npz: can't be read as npz"):
        read_matrix(tmp_path / "a.npz")


def test_settings_that_are_no_json_object_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.npz: expected the settings as JSON; Expecting"):
        read_matrix(write_npz(tmp_path / "a.npz", hht=random(), settings="{"))
    with pytest.raises(InputError, match=r"b\.npz: expected the settings as a JSON object; found list"):
        read_matrix(write_npz(tmp_path / "b.npz", hht=random(), settings="[1]"))


def test_recordings_and_other_files_are_no_matrices(tmp_path: Path) -> None:
    assert not is_matrix_file(write_npz(tmp_path / "a.npz", samples=np.zeros((2, 500)), rate_hz=1000.0))
    assert not is_matrix_file(tmp_path / "a.csv")
    assert is_matrix_file(write_npz(tmp_path / "b.npz", anything=np.zeros((256, 256))))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_damage_is_an_input_error_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    write_members(path, hht=npy(np.zeros((256, 256), np.int8)), settings=npy(np.array("{}")))
    content = bytearray(path.read_bytes())
    headers = [*range(160), *range(len(content) - 400, len(content))]  # where a changed byte means most
    for place in data.draw(st.lists(st.sampled_from(headers), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert read_matrix(path).values.shape[-2:] == (256, 256)
    except InputError as error:
        assert "damaged.npz" in str(error)


def test_a_real_matrix_of_another_tool_is_read_from_its_key(real_data: Path) -> None:
    path = real_data / "formats" / "hilbert_matrix" / "Test1_1_001.npz"
    with np.load(path, allow_pickle=False) as archive:
        raw = archive["spectrum"]
    matrix = read_matrix(path)
    assert_allclose(matrix.values[0], (raw - raw.min()) / (raw.max() - raw.min()), rtol=1e-5, atol=1e-6)
    assert is_matrix_file(path)


def test_features_are_stored_with_their_matrix(tmp_path: Path) -> None:
    features = {"rms": (0.1 + 0.2, 3.0), "finsm5": (1.2345678901234567e-14, float("nan"))}
    write_matrix(tmp_path / "a.npz", Matrix(random(2, 256, 256), {}, AXIS, AXIS, features))
    read = read_matrix(tmp_path / "a.npz").features
    assert read["rms"] == features["rms"], "all digits"
    assert read["finsm5"][0] == features["finsm5"][0]
    assert np.isnan(read["finsm5"][1])


def test_a_file_of_an_earlier_version_has_its_reference_among_the_features(tmp_path: Path) -> None:
    """The keys of files don't change: ``reference`` is one of the features, the covariance is called ``mixing``."""
    stored = {"rms": [3.0, 4.0], "reference": [0.5, 1.5]}
    path = write_npz(
        tmp_path / "earlier.npz", hht=random(2, 256, 256), frequency_hz=AXIS, time_s=AXIS, settings="{}",
        features=json.dumps(stored), mixing=np.arange(3.0), rate_hz=500.0, source="curl.csv",
    )  # fmt: skip
    matrix = read_matrix(path)
    assert (matrix.features, matrix.reference) == ({"rms": (3.0, 4.0)}, (0.5, 1.5))
    assert matrix.covariance is not None and matrix.covariance.tolist() == [0, 1, 2]
    assert (matrix.plane(1).features, matrix.plane(1).reference) == ({"rms": (4.0,)}, (1.5,))
    assert read_facts(path) | {"features": "", "settings": ""} == {
        "features": "", "settings": "", "rate_hz": 500.0, "source": "curl.csv",
    }  # fmt: skip
    write_matrix(tmp_path / "now.npz", matrix, rate_hz=500.0, source="curl.csv")
    with np.load(path) as earlier, np.load(tmp_path / "now.npz") as now:
        assert set(now.files) == set(earlier.files)
        assert json.loads(str(now["features"])) == stored
        for key in set(earlier.files) - {"features"}:
            np.testing.assert_array_equal(now[key], earlier[key])


@pytest.mark.parametrize("features", ["[1.0]", '{"rms": [1.0]}', '{"rms": "abc"}', '{"rms": [1.0, null]}', "{"])
def test_features_that_fit_nothing_are_refused(tmp_path: Path, features: str) -> None:
    write_matrix(tmp_path / "a.npz", Matrix(random(2, 256, 256), {}, AXIS, AXIS), features=features)
    with pytest.raises(InputError, match=r"a\.npz: expected"):
        read_matrix(tmp_path / "a.npz")


def test_the_covariance_of_channels_is_stored_with_their_matrix(tmp_path: Path) -> None:
    vector = np.random.default_rng(0).standard_normal(10)
    write_matrix(tmp_path / "a.npz", Matrix(random(1, 256, 256), {}, AXIS, AXIS, covariance=vector))
    covariance = read_matrix(tmp_path / "a.npz").covariance
    assert covariance is not None
    assert_allclose(covariance, vector, rtol=0)
    assert read_matrix(write_npz(tmp_path / "b.npz", hht=np.eye(256))).covariance is None
    for wrong in (np.zeros((2, 2)), np.zeros(5000), np.array([np.nan]), np.array(["a"])):
        write_matrix(tmp_path / "c.npz", Matrix(random(1, 256, 256), {}, AXIS, AXIS), mixing=wrong)
        with pytest.raises(InputError, match=r"c\.npz: expected .*'mixing'"):
            read_matrix(tmp_path / "c.npz")
