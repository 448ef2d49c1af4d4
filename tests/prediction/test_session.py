"""session.py: one recording answered and measured, its repetitions the same in both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import Simulated
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration
from semg_hht.prediction.run import open_run
from semg_hht.prediction.session import open_session
from semg_hht.recordings.manifest import read_manifest
from semg_hht.recordings.recording import read_recording
from semg_hht.reports.card import write_card
from semg_hht.signals.features import mdf, rms
from semg_hht.signals.filters import preprocess
from semg_hht.signals.repetitions import SegmentConfig

OPTIONS = InputOptions(units="uV", segmentation=SegmentConfig())


def test_answers_and_measures_are_of_the_same_repetitions(
    simulated: Simulated, simulated_run: Path, tmp_path: Path
) -> None:
    file = read_manifest(simulated.manifest)[0].file
    recording = simulated.manifest.parent / file
    run = open_run(simulated_run, cpu=True)
    description = replace(run.description, calibration={"action_quality": Calibration(threshold=0.01)})
    run = replace(run, engine=replace(run.engine, description=description))
    made, loaded = open_session(run, recording, OPTIONS)
    assert len(loaded.repetitions()) == len(made.parts)
    raw = read_recording(recording, units="uV")
    filtered = preprocess(raw.samples, raw.rate_hz, simulated.config.filter)
    assert len(made.parts) == len(made.channels[0].measures) >= 2
    for part, measures in zip(made.parts, made.channels[0].measures, strict=True):
        assert (part.start_s, part.stop_s) == (measures.row.start_s, measures.row.stop_s)
        cut = filtered[:, round((part.start_s or 0) * raw.rate_hz) : round((part.stop_s or 0) * raw.rate_hz)]
        assert measures.values["rms"] == pytest.approx(rms(cut)[0], rel=0.02)
        assert measures.values["mdf_hz"] == pytest.approx(mdf(cut, raw.rate_hz)[0], rel=0.02)
    assert made.promises and all(part.answers["action_quality"].is_unsure for part in made.parts)
    write_card(made, tmp_path / "card.html")
    with pytest.raises(InputError, match="say overwrite=True"):
        write_card(made, tmp_path / "card.html")


def test_volts_are_shown_in_microvolts(simulated: Simulated, simulated_run: Path) -> None:
    recording = simulated.manifest.parent / read_manifest(simulated.manifest)[0].file
    run = open_run(simulated_run, cpu=True)
    in_volts, in_microvolts = (
        open_session(run, recording, replace(OPTIONS, units=units))[0].channels[0] for units in ("V", "uV")
    )
    assert (in_volts.units, in_microvolts.units) == ("uV", "uV")
    assert in_volts.samples.std() == pytest.approx(1e6 * in_microvolts.samples.std())


def test_what_is_no_session_is_an_error(simulated: Simulated, simulated_run: Path, tmp_path: Path) -> None:
    run = open_run(simulated_run, cpu=True)
    with pytest.raises(InputError, match="expected one recording, or a manifest of one; found 4"):
        open_session(run, simulated.manifest)
    with pytest.raises(InputError, match="matrices of another tool and can't prepare a recording"):
        open_session(replace(run, recording_config=None), simulated.manifest)
    flat = tmp_path / "flat.csv"
    flat.write_text("time_s,ch1\n" + "".join(f"{i / 500:.3f},0\n" for i in range(2000)), encoding="utf-8")
    with pytest.raises(InputError, match=r"flat\.csv"):
        open_session(run, flat)
