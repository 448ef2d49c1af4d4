"""verbs/checking.py: problems of data folders."""

from __future__ import annotations

from pathlib import Path

import pytest

import semg_hht as sh
from conftest import Simulated
from semg_hht.verbs.checking import SEVERITIES, check


def test_findings_are_counted_and_listed(simulated: Simulated) -> None:
    found = check(str(simulated.matrices))
    assert found.n_files == 12 and len(found) == sum(map(found.count, SEVERITIES))
    pytest.importorskip("pandas")
    assert len(found.to_dataframe()) == len(list(found))


def test_what_other_verbs_take_is_checked(simulated: Simulated, tmp_path: Path) -> None:
    path = simulated.manifest.parent / "S01_E01_BICEPS.csv"
    recording = sh.read_recording(path).crop(0, 3)
    for given in (recording, path, str(path), recording.samples):
        assert check(given, rate_hz=recording.rate_hz).n_files == 1
    assert check([recording.samples, path], rate_hz=recording.rate_hz).n_files == 2
    repetitions = sh.segment(path)
    assert check(repetitions).n_files == len(repetitions)
    assert [found.what for found in check([recording, recording])].count("duplicate") == 1
    prepared = sh.prepare(recording, tmp_path / "p")
    assert check(prepared) == check(str(tmp_path / "p"))
    both = check([prepared, recording])
    assert both.n_files == prepared.n_matrices + 1 and both.source == Path("recordings")
    (matrix,) = (tmp_path / "p" / "hht_matrices").glob("*.npz")
    assert check(matrix).n_files == 1


def test_what_holds_no_recording_is_refused() -> None:
    with pytest.raises(sh.InputError, match="expected a path, a Recording, .* prepare, or a list of them; found int"):
        check(5)  # type: ignore[arg-type]
