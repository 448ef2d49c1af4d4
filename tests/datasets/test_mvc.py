"""Tests of reference amplitudes: which recordings share one, and how it is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import noise
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.errors import InputError
from semg_hht.matrices.transform import PipelineConfig, configure, transform_all, transform_job
from semg_hht.recordings.jobs import Failure, Job, Reference
from semg_hht.recordings.recording import Array, read_recording, write_recording

MVC = configure(band_hz=(20, 200), mains_hz=None, scaling="mvc")
SUBJECT = replace(MVC, scaling="subject")
REFERENCES = "file,subject\nmax1.npz,S1\nmax2.npz,S1\nmax3.npz,S2\n"


def write(folder: Path, name: str, gain: float, *, n_channels: int = 2) -> None:
    recording = noise(n_channels)
    write_recording(replace(recording, samples=gain * recording.samples), folder / name)


def values(job: Job) -> Array:
    return transform_job(job, None, MVC)[0].matrix.values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, gain in (("a.npz", 1), ("b.npz", 3), ("c.npz", 10), ("max1.npz", 20), ("max2.npz", 40), ("max3.npz", 5)):
        write(tmp_path, name, gain)
    (tmp_path / "manifest.csv").write_text("file,subject\na.npz,S1\nb.npz,S1\nc.npz,S2\n")
    (tmp_path / "mvc.csv").write_text(REFERENCES)
    return tmp_path


def references_of(folder: Path, table: str, config: PipelineConfig = MVC) -> list[Reference]:
    """The reference of each recording of ``manifest.csv``, with ``table`` as the manifest of the references."""
    (folder / "mvc.csv").write_text(table)
    jobs = with_references(find_jobs(folder), config, folder / "mvc.csv" if config == MVC else None, n_jobs=1)
    return [job.reference for job in jobs if job.reference is not None]


def test_mvc_is_the_largest_contraction_of_the_subject(folder: Path) -> None:
    first, second, other = references_of(folder, REFERENCES)
    assert second == first
    for channel in ("ch1", "ch2"):
        assert_allclose(first.amplitude[channel] / other.amplitude[channel], 8)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("file,subject\nmax1.npz,S1\nmax3.npz,S2\n", ""),
        ("file,subject,movement\nc.npz,S1,MVC\nb.npz,S2,rest\n", ""),
        ("file,subject,movement\nc.npz,S1,full\nb.npz,S2,half\n", "but their movement is full, half"),
        ("file,subject\na.npz,S1\nc.npz,S2\n", "but they are the recordings themselves"),
    ],
)
def test_references_that_are_hardly_maximal_give_a_warning(
    folder: Path, caplog: pytest.LogCaptureFixture, table: str, reason: str
) -> None:
    (folder / "mvc.csv").write_text(table)
    with_references(find_jobs(folder), MVC, folder / "mvc.csv", n_jobs=1)
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == bool(reason)
    assert all("mvc.csv: each recording in it was taken as a maximal contraction" in text for text in texts)
    assert all(text.endswith(reason) for text in texts)


def test_subject_is_the_root_mean_power_of_the_subjects_own(folder: Path) -> None:
    first, _, other = references_of(folder, REFERENCES, SUBJECT)
    assert_allclose(first.amplitude["ch1"] / other.amplitude["ch1"], np.sqrt((1 + 9) / 2) / 10)


def test_effort_stays_visible_and_devices_cancel(folder: Path) -> None:
    weak, strong, _ = with_references(find_jobs(folder), MVC, folder / "mvc.csv", n_jobs=1)
    weaker, stronger = values(weak), values(strong)
    assert stronger.sum() > 1.05 * weaker.sum()
    for name, gain in (("a.npz", 1000), ("max2.npz", 40_000)):  # another gain of the same device changes nothing
        write(folder, name, gain)
    louder, *_ = with_references(find_jobs(folder), MVC, folder / "mvc.csv", n_jobs=1)
    assert_allclose(values(louder), weaker, rtol=1e-4, atol=1e-5)


def test_recordings_of_another_gain_have_a_reference_of_their_own(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, gain in (("a.npz", 1), ("b.npz", 128), ("c.npz", 100)):
        recording = replace(noise(2), units="adc")
        write_recording(replace(recording, samples=gain * recording.samples), folder / name)
    first, second, _ = references_of(folder, REFERENCES, SUBJECT)
    assert_allclose(second.amplitude["ch1"] / first.amplitude["ch1"], 128)
    assert "b.npz: 128 times as loud as a.npz of the same person" in caplog.text


def test_recordings_in_volts_share_a_reference_however_quiet_one_is(folder: Path) -> None:
    for name, gain in (("a.npz", 1), ("b.npz", 128)):
        recording = replace(noise(2), units="uV")
        write_recording(replace(recording, samples=gain * recording.samples), folder / name)
    first, second, _ = references_of(folder, REFERENCES, SUBJECT)
    assert first == second


def test_other_scalings_need_none(folder: Path) -> None:
    jobs = find_jobs(folder)
    assert with_references(jobs, configure(band_hz=(20, 200)), None) is jobs


def test_mvc_and_references_go_together(folder: Path) -> None:
    with pytest.raises(InputError, match=r"scaling 'mvc' and references=... go together; got scaling 'mvc' and no ref"):
        with_references(find_jobs(folder), MVC, None)
    with pytest.raises(InputError, match=r"go together; got scaling 'subject' and .*mvc\.csv"):
        with_references(find_jobs(folder), SUBJECT, folder / "mvc.csv")


def test_a_subject_without_maximal_contraction_is_named(folder: Path) -> None:
    (folder / "mvc.csv").write_text("file,subject\nmax1.npz,S1\n")
    jobs = with_references(find_jobs(folder), MVC, folder / "mvc.csv", n_jobs=1)
    first, _, other = transform_all(jobs, MVC, n_jobs=1)
    assert not isinstance(first, Failure)
    assert isinstance(other, Failure)
    assert "c.npz, channel ch1: no reference amplitude of subject 'S2' for this channel" in other.reason


def test_a_broken_reference_is_an_error_a_broken_recording_is_not(folder: Path) -> None:
    (folder / "b.npz").write_bytes(b"")
    assert len(with_references(find_jobs(folder), SUBJECT, None, n_jobs=1)) == 3
    (folder / "max3.npz").write_bytes(b"")
    with pytest.raises(InputError, match=r"max3\.npz: can't be read"):
        with_references(find_jobs(folder), MVC, folder / "mvc.csv", n_jobs=1)


def test_a_channel_without_reference_is_named(folder: Path) -> None:
    write(folder, "a.npz", 1, n_channels=3)
    job, *_ = with_references(find_jobs(folder), MVC, folder / "mvc.csv", n_jobs=1)
    with pytest.raises(InputError, match=r"a\.npz, channel ch3: no reference amplitude of subject 'S1'"):
        transform_job(job, None, MVC)


def test_units_of_a_reference_are_converted(folder: Path) -> None:
    recording = read_recording(folder / "max1.npz")
    for name, units, factor in (("uv.npz", "uV", 1.0), ("mv.npz", "mV", 1e-3)):
        write_recording(replace(recording, samples=recording.samples * factor, units=units), folder / name)
    in_uv, in_mv = (references_of(folder, f"file,subject\n{name},S1\n")[0] for name in ("uv.npz", "mv.npz"))
    assert_allclose(in_uv.amplitude["ch1"], in_mv.amplitude["ch1"], rtol=1e-9)


def test_units_that_can_not_be_compared_are_refused(folder: Path) -> None:
    write_recording(replace(read_recording(folder / "max1.npz"), units="adc"), folder / "max1.npz")
    (folder / "mvc.csv").write_text("file,subject\nmax1.npz,S1\n")
    job, *_ = with_references(find_jobs(folder), MVC, folder / "mvc.csv", n_jobs=1)
    with pytest.raises(
        InputError, match=r"a\.npz, channel ch1: the units .* can't be compared; state both in V, mV or"
    ):
        transform_job(job, None, MVC)


def test_a_reference_is_its_interval_not_its_file(folder: Path) -> None:
    recording = read_recording(folder / "max1.npz")
    samples = recording.samples.copy()
    samples[:, recording.n_samples // 4 :] *= 0.01  # the contraction is over after a quarter
    write_recording(replace(recording, samples=samples), folder / "burst.npz")
    start_s = recording.duration_s / 2
    whole = references_of(folder, "file,subject\nburst.npz,S1\n")[0]
    after = references_of(folder, f"file,subject,start_s\nburst.npz,S1,{start_s}\n")[0]
    assert 80 < whole.amplitude["ch1"] / after.amplitude["ch1"] < 120


def test_rest_in_the_recording_of_a_contraction_does_not_lower_its_reference(folder: Path) -> None:
    recording = read_recording(folder / "max1.npz")
    silence = 0.003 * recording.samples
    with_rest = np.concatenate([silence, silence, recording.samples, silence, silence, silence], axis=1)
    write_recording(replace(recording, samples=with_rest), folder / "rests.npz")
    alone = references_of(folder, "file,subject\nmax1.npz,S1\n")[0]
    among_rests = references_of(folder, "file,subject\nrests.npz,S1\n")[0]
    assert_allclose(among_rests.amplitude["ch1"], alone.amplitude["ch1"], rtol=0.02)


def test_a_reference_is_of_the_same_motion_where_it_is_stated(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,subject,motion\na.npz,S1,grip\nb.npz,S1,turn\n")
    table = "file,subject,motion\nmax1.npz,S1,grip\nmax2.npz,S1,turn\n"
    grip, turn = references_of(folder, table)
    assert_allclose(turn.amplitude["ch1"] / grip.amplitude["ch1"], 2)
    grip, turn = references_of(folder, table, SUBJECT)
    assert_allclose(turn.amplitude["ch1"] / grip.amplitude["ch1"], 3, err_msg="each has a mean of its own")


@pytest.mark.parametrize(
    "table",
    [
        "file,subject,motion\nmax1.npz,S1,mvc\nmax2.npz,S1,mvc\n",
        "file,subject,motion\nmax1.npz,S1,grip\nmax2.npz,S1,mvc\n",
        "file,subject\nmax1.npz,S1\nmax2.npz,S1\n",
    ],
)
def test_motions_without_references_of_their_own_share_one(folder: Path, table: str) -> None:
    (folder / "manifest.csv").write_text("file,subject,motion\na.npz,S1,grip\nb.npz,S1,turn\n")
    grip, turn = references_of(folder, table)
    assert grip == turn
    assert grip.amplitude["ch1"] > 0


def test_recordings_without_subject_take_the_references_of_the_only_subject(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,muscle\na.npz,BICEPS\nb.npz,TRICEPS\n")
    table = "file,subject,muscle\nmax1.npz,S1,BICEPS\nmax2.npz,S1,TRICEPS\n"
    biceps, triceps = references_of(folder, table)
    assert biceps.amplitude
    assert_allclose(triceps.amplitude["ch1"] / biceps.amplitude["ch1"], 2)


@pytest.mark.parametrize(
    "table",
    [
        "file,subject,muscle\nmax1.npz,S01,BICEPS\nmax2.npz,S01,TRICEPS\nmax3.npz,S2,Biceps\n",
        "file,subject,muscle\nmax1.npz,s1,biceps\nmax2.npz,s1,triceps\nmax3.npz,S 2,bi\u200bceps\n",
    ],
)
def test_references_are_found_under_another_spelling(folder: Path, table: str) -> None:
    text = "file,subject,muscle\na.npz,S1,Biceps\nb.npz,S1,Triceps\nc.npz,S2,biceps\n"
    (folder / "manifest.csv").write_text(text, encoding="utf-8")
    biceps, triceps, other = references_of(folder, table)
    assert_allclose(triceps.amplitude["ch1"] / biceps.amplitude["ch1"], 2)
    assert_allclose(biceps.amplitude["ch1"] / other.amplitude["ch1"], 4)


def test_a_muscle_in_two_spellings_is_one_muscle(folder: Path) -> None:
    """Each of two muscles of a person would have a mean amplitude of its own."""
    (folder / "manifest.csv").write_text("file,subject,muscle\na.npz,S1,Biceps\nb.npz,S1,BICEPS\nc.npz,S1,biceps \n")
    first, second, third = references_of(folder, "", SUBJECT)
    assert first == second == third


def test_a_reference_of_volts_and_counts_fits_neither(folder: Path) -> None:
    """Its mean amplitude is that of numbers which can't be compared."""
    for name in "abc":
        write_recording(replace(noise(2), units=""), folder / f"{name}.npz")
    (folder / "manifest.csv").write_text("file,subject,units\na.npz,S1,uV\nb.npz,S1,adc\nc.npz,S2,adc\n")
    jobs = with_references(find_jobs(folder), SUBJECT, None, n_jobs=1)
    first, second, other = transform_all(jobs, SUBJECT, n_jobs=1)
    for failed in (first, second):
        assert isinstance(failed, Failure)
        assert "units of the recording and of its reference can't be compared" in failed.reason
    assert not isinstance(other, Failure)
