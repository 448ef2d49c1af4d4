"""Training, evaluation and prediction give the same probabilities within 1e-6, from every format and in every engine.

The probabilities are compared before prediction rounds them to the six digits of its JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from builders import rows
from device_files import AcqChannel, Poly5, SonChannel, acq_content, write_acq, write_poly5, write_spike2
from recording_files import otb_members, write_matlab_73, write_otb, write_xdf, xdf_channel, xdf_emg
from semg_hht.datasets.find_inputs import InputOptions, find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.exports.export import export
from semg_hht.inference.engines import installed
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.epochs import TrainingConfig, score
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.matrices.transform import configure
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.formats.bdf_writer import write_bdf
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.signals.simulate import SimulationConfig, simulate_people
from semg_hht.system.files import read_json

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")  # a warning of pandas, which wfdb uses
SAME = 1e-6
SAME_BY_SVM = 5e-6  # it divides features by their spread over few repetitions, which enlarges last digits
EXPORTS = ("auto", *installed())
TRAINING = TrainingConfig(epochs=2, batch_size=4, learning_rate=1e-3, checkpoint_every=1)
RATE_HZ, N_SAMPLES = 200, 800
STATED = {"rate_hz": RATE_HZ, "units": "uV"}
ByTask = dict[str, dict[str, np.ndarray]]  # task -> file -> probabilities, the mean over the file's matrices


@dataclass(frozen=True)
class Trained:
    """A run, its export, the recordings and matrices it was trained on, and the probabilities that training scored.

    scored : first the validation people, one entry an epoch, then the test people.
    """

    run: Path
    export: Path
    recordings: Path
    prepared: Path
    scored: list[ByTask]

    @cached_property
    def engines(self) -> dict[str, Run]:
        return {"torch": open_run(self.run, cpu=True), **{name: open_run(self.export, engine=name) for name in EXPORTS}}

    @property
    def matrices(self) -> Path:
        return self.prepared / "hht_matrices"


def people(recordings_folder: Path | None) -> list[tuple[ManifestRow, Recording]]:
    """Three movements of six people on one channel: real recordings where they are present, else simulated ones."""
    if recordings_folder is None:
        recorded = simulate_people(SimulationConfig(6, n_repetitions=1, rate_hz=float(RATE_HZ)), seed=1)
        return [
            (ManifestRow("", r.person.subject, movement=truth.movement, gender=r.person.gender),
             replace(r.recording, samples=r.recording.samples[:, start : start + N_SAMPLES]))
            for r in recorded for truth in r.repetitions if (start := round(truth.start_s * RATE_HZ)) >= 0
        ]  # fmt: skip
    manifest = recordings_folder / "myo_armband" / "manifest.csv"
    jobs = {(job.rows[0].subject, job.rows[0].movement): job for job in find_jobs(manifest)}
    chosen = [jobs[f"{sex}{n}", f"gesture{g}"] for sex in ("Female", "Male") for n in range(3) for g in (1, 2, 3)]
    read = [(job.rows[0], read_recording(job.path, rate_hz=RATE_HZ).select(("1",))) for job in chosen]
    return [(row, replace(r, samples=0.7310585 * r.samples[:, :N_SAMPLES], units="uV")) for row, r in read]


@pytest.fixture(scope="module", params=["plain", "best"])
def trained(
    request: pytest.FixtureRequest, recordings_folder: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    folder = tmp_path_factory.mktemp("same")
    labelled = people(recordings_folder)
    first = labelled[0][1]
    named = [(replace(row, file=f"{row.subject}_{row.movement}.npz"), recording) for row, recording in labelled]
    named += [(ManifestRow("Test_fractions.npz"), replace(first, samples=first.samples[:, ::-1].copy())),
              (ManifestRow("Test_counts.npz"), replace(first, samples=np.rint(first.samples[:, ::-1])))]  # fmt: skip
    plain = [
        (replace(row, session="", repetition="", rate_hz=None, units="", rate_source=""), recording)
        for row, recording in named
    ]
    for row, recording in plain:
        write_recording(recording, folder / "recordings" / row.file)
    (folder / "recordings" / "manifest.csv").write_text(manifest_text(row for row, _ in plain), encoding="utf-8")
    done = prepare(find_jobs(folder / "recordings"), folder / "prepared", configure(band_hz=(20.0, 95.0)), n_jobs=1)
    scored: list[ByTask] = []

    def recording_score(dataset: Any, indices: Any, task: str, classes: Any, probabilities: Any, **options: Any) -> Any:
        scored.append({task: {dataset.rows[i].file: row for i, row in zip(indices, probabilities, strict=True)}})
        return score(dataset, indices, task, classes, probabilities, **options)

    data = load_folder(done.folder / "hht_matrices")
    with pytest.MonkeyPatch.context() as patched:
        for module in ("epochs", "train"):
            patched.setattr(f"semg_hht.learning.{module}.score", recording_score)
        train(
            data,
            folder / "run",
            replace(TRAINING, recipe=request.param),
            NetworkSize(base_channels=4),
            RunOptions(cpu=True),
        )
    export(load_model(folder / "run" / "best"), folder / "run" / "best", folder / "export", data=data)
    return Trained(folder / "run", folder / "export", folder / "recordings", done.folder, scored)


def probabilities_of(run: Run, source: Path, **stated: Any) -> ByTask:
    by_task: ByTask = {}
    for item in run.loader.load(source, InputOptions(**stated), n_jobs=1):
        assert hasattr(item, "matrices"), item
        for task, rows_of_file in run.engine.probabilities(item.matrices, item.svm_inputs).items():
            by_task.setdefault(task, {})[item.file] = rows_of_file.mean(axis=0)
    return by_task


def largest_difference(found: ByTask, expected: ByTask) -> float:
    """The largest difference of a probability over the files and tasks of ``expected``."""
    return max(
        float(np.abs(found[task][file] - answer).max())
        for task, files in expected.items()
        for file, answer in files.items()
    )


def renamed(by_task: ByTask) -> ByTask:
    """The probabilities of a single file under the name ``x``, so that files of two names can be compared."""
    return {task: dict.fromkeys("x", *files.values()) for task, files in by_task.items()}


def differing(runs: dict[str, Run], source: Path, expected: ByTask, **stated: Any) -> dict[str, float]:
    """Engine -> difference, for the engines whose probabilities of one file differ from ``expected``."""
    found = {name: renamed(probabilities_of(run, source, **stated)) for name, run in runs.items()}
    differences = {name: largest_difference(by_task, renamed(expected)) for name, by_task in found.items()}
    return {name: difference for name, difference in differences.items() if not difference <= SAME}


def test_prediction_of_unlabelled_files_equals_that_of_training(trained: Trained) -> None:
    """To the last digit that is written."""
    found = open_run(trained.run, cpu=True).predict(trained.prepared, n_jobs=1).to_json()
    expected = read_json(trained.run / "test_predictions.json")
    assert len(expected) == 2
    assert {file: found[file] for file in expected} == expected


def test_prediction_of_validation_people_equals_that_of_the_epoch(trained: Trained) -> None:
    run = open_run(trained.run / "checkpoint_epoch_1", cpu=True)
    if "action_quality" in run.description.blocks:
        pytest.skip("an SVM predicts action quality, and it is fitted when training ends")
    assert largest_difference(probabilities_of(run, trained.prepared), trained.scored[0]) <= SAME


def test_every_engine_predicts_test_people_as_the_final_score_did(trained: Trained) -> None:
    assert [*map(list, trained.scored[2:])] == [["action_quality"], ["gender"]]
    found = {name: probabilities_of(run, trained.prepared) for name, run in trained.engines.items()}
    for expected, same in zip(trained.scored[2:], (SAME, SAME_BY_SVM), strict=True):
        differences = {name: largest_difference(by_task, expected) for name, by_task in found.items()}
        assert {name: difference for name, difference in differences.items() if not difference <= same} == {}


def test_prediction_of_held_out_people_equals_that_of_evaluation(trained: Trained, tmp_path: Path) -> None:
    data = load_folder(trained.matrices).labelled()
    config = replace(TRAINING, epochs=1, recipe=read_json(trained.run / "config.json")["training"]["recipe"])
    cross_validate(
        data,
        tmp_path,
        config,
        NetworkSize(base_channels=2),
        FoldOptions(protocol="grouped", n_folds=2, cpu=True, keep_models=True),
        n_jobs=1,
    )
    file_of = dict(zip(data.repetitions, (row.file for row in data.rows), strict=True))
    for fold in sorted((tmp_path / "folds").iterdir()):
        network = read_json(fold / "answers.json")["network"]
        expected = {
            task: {file_of[key]: np.array(row) for key, row in by_key.items()} for task, by_key in network.items()
        }
        assert largest_difference(probabilities_of(open_run(fold, cpu=True), trained.prepared), expected) == 0
    export(load_model(fold / "best"), fold / "best", tmp_path / "export", data=data)
    for name in EXPORTS:
        assert (
            largest_difference(probabilities_of(open_run(tmp_path / "export", engine=name), trained.prepared), expected)
            <= SAME
        )


MATRICES: dict[str, Callable[[Path, dict[str, np.ndarray]], None]] = {
    "packed": lambda path, arrays: np.savez_compressed(path, **arrays),
    "plain": lambda path, arrays: np.savez(path, **arrays),
    "spectrum": lambda path, arrays: np.savez(path, **{{"hht": "spectrum"}.get(k, k): v for k, v in arrays.items()}),
    "unnamed": lambda path, arrays: np.savez(path, **{{"hht": "x"}.get(k, k): v for k, v in arrays.items()}),
    "doubles": lambda path, arrays: np.savez(path, **arrays | {"hht": arrays["hht"].astype(np.float64)}),
    "big end first": lambda path, arrays: np.savez(path, **arrays | {"hht": arrays["hht"].astype(">f4")}),
    "by columns": lambda path, arrays: np.savez(path, **arrays | {"hht": np.asfortranarray(arrays["hht"])}),
    "one plane": lambda path, arrays: np.savez(path, **arrays | {"hht": arrays["hht"][None]}),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_every_way_to_store_a_matrix_gives_the_same_answer(trained: Trained, kind: str, tmp_path: Path) -> None:
    runs = trained.engines
    expected = probabilities_of(runs["torch"], trained.matrices / "Test_fractions.npz")
    with np.load(trained.matrices / "Test_fractions.npz") as archive:
        MATRICES[kind](tmp_path / "a.npz", dict(archive))
    assert differing(runs, tmp_path / "a.npz", expected) == {}


def test_a_pack_gives_the_answers_of_its_files(trained: Trained, tmp_path: Path) -> None:
    plain = load_folder(trained.matrices).subset(np.arange(3))
    packed = load_folder(trained.matrices, pack=tmp_path / "pack").subset(np.arange(3))
    for run in trained.engines.values():
        found, expected = (run.engine.probabilities(data.matrices[:], data.svm_inputs) for data in (packed, plain))
        assert all(np.array_equal(found[task], expected[task]) for task in expected)


def text(name: str, separator: str, decimal: str = ".", head: str = "t{}ch1 [uV]\n") -> Callable[..., Path]:
    def write(recording: Recording, folder: Path) -> Path:
        time_s = np.arange(N_SAMPLES) / RATE_HZ
        body = rows(np.column_stack([time_s, recording.samples[0]]), separator, fmt="{:.17g}")
        (folder / name).write_text(head.format(separator) + body.replace(".", decimal))
        return folder / name

    return write


def mat(**options: Any) -> Callable[..., Path]:
    def write(recording: Recording, folder: Path) -> Path:
        scipy.io.savemat(folder / "a.mat", {"emg": recording.samples.T, "fs": float(RATE_HZ)}, **options)
        return folder / "a.mat"

    return write


def mat_73(recording: Recording, folder: Path) -> Path:
    return write_matlab_73(folder / "a.mat", {"emg": recording.samples.T, "fs": np.array(float(RATE_HZ))})


def npz(recording: Recording, folder: Path) -> Path:
    np.savez(folder / "a.npz", emg=recording.samples, fs=float(RATE_HZ))
    return folder / "a.npz"


def hdf5(recording: Recording, folder: Path) -> Path:
    library = pytest.importorskip("h5py")
    with library.File(folder / "a.h5", "w") as file:
        file.create_dataset("emg", data=recording.samples.T).attrs["sampling rate"] = float(RATE_HZ)
    return folder / "a.h5"


def xdf(recording: Recording, folder: Path) -> Path:
    table = recording.samples.T.astype("<f8")
    stream = xdf_emg(100 + np.arange(N_SAMPLES) / RATE_HZ, table=table, form="double64", channels=xdf_channel("a"))
    return write_xdf(folder, stream.replace(b"<nominal_srate>1000<", b"<nominal_srate>0200<"))


def holds_counts(recording: Recording) -> bool:
    """Whether all samples are whole numbers, which 16 bits store exactly; others are scaled to fill the 16 bits."""
    return np.array_equal(recording.samples, np.rint(recording.samples))


def edf(recording: Recording, folder: Path) -> Path:
    pyedflib = pytest.importorskip("pyedflib")
    top = 32767.0 if holds_counts(recording) else float(np.ceil(np.abs(recording.samples).max()))
    with pyedflib.EdfWriter(str(folder / "a.edf"), 1, file_type=pyedflib.FILETYPE_EDFPLUS) as file:
        file.setSignalHeader(0, {
            "label": "EMG", "dimension": "uV", "sample_frequency": RATE_HZ, "prefilter": "", "transducer": "",
            "physical_max": top, "physical_min": -top, "digital_max": 32767, "digital_min": -32767,
        })  # fmt: skip
        file.writeSamples([np.ascontiguousarray(recording.samples[0])])
    return folder / "a.edf"


def bdf(recording: Recording, folder: Path) -> Path:
    write_bdf(recording, folder / "a.bdf", ["EMG"])
    return folder / "a.bdf"


def wfdb(recording: Recording, folder: Path) -> Path:
    library = pytest.importorskip("wfdb")
    gain = 1.0 if holds_counts(recording) else float(np.floor(32767 / np.abs(recording.samples).max()))
    library.wrsamp("a", fs=RATE_HZ, units=["uV"], sig_name=["EMG"], p_signal=recording.samples.T, fmt=["16"],
                   adc_gain=[gain], baseline=[0], write_dir=str(folder))  # fmt: skip
    return folder / "a.hea"


def otb(recording: Recording, folder: Path) -> Path:
    """In counts: the reader does not know this device's volts per count."""
    xml = """<Device Name="SYNCSTATION" SampleFrequency="200" DeviceTotalChannels="1" ad_bits="16"><Channels>
      <Adapter ID="Quattro" Gain="1" ChannelStartIndex="0"><Channel Index="0" ID="A" Gain="1"/></Adapter>
      </Channels></Device>"""
    counts = np.rint(recording.samples.T).astype("<i2")
    return write_otb(folder, otb_members(xml, counts.tobytes()))


def acq(recording: Recording, folder: Path) -> Path:
    pytest.importorskip("bioread")
    channel = AcqChannel(b"EMG", b"uV", recording.samples[0].astype("<f8"))
    return write_acq(folder, acq_content([channel], sample_ms=1000 / RATE_HZ))


def poly5(recording: Recording, folder: Path) -> Path:
    file = Poly5(recording.samples.T.astype("<f4"), ("EMG",), (b"uV",), RATE_HZ)
    return write_poly5(folder, file.content())


def smr(recording: Recording, folder: Path) -> Path:
    values = recording.samples[0].astype("<f4")
    return write_spike2(folder, [SonChannel("EMG", b"uV", values, 500_000 // RATE_HZ, ideal_hz=RATE_HZ)])


# FLOATS store 64-bit floats. COUNTS store whole numbers and round all other values.
FLOATS: dict[str, Callable[[Recording, Path], Path]] = {
    "csv": text("a.csv", ","), "csv ;": text("a.csv", ";", ","), "txt": text("a.txt", "\t", head=""),
    "tsv": text("a.tsv", "\t"),
    "mat 5": mat(), "mat 5 packed": mat(do_compression=True), "mat 4": mat(format="4"), "mat 7.3": mat_73, "npz": npz,
    "hdf5": hdf5, "xdf": xdf, "acq": acq,
}  # fmt: skip
COUNTS: dict[str, Callable[[Recording, Path], Path]] = {
    "edf": edf, "bdf": bdf, "wfdb": wfdb, "otb": otb, "poly5": poly5, "smr": smr,
}  # fmt: skip
# The bound on the change of a probability where a format rounds the samples.
ROUNDED = {"edf": 0.1, "bdf": 1e-5, "wfdb": 0.1}


@pytest.mark.parametrize("kind", [*FLOATS, *COUNTS])
def test_every_format_of_a_recording_gives_its_matrix_answer(trained: Trained, kind: str, tmp_path: Path) -> None:
    runs = trained.engines
    name = "Test_fractions" if kind in FLOATS else "Test_counts"
    path = (FLOATS | COUNTS)[kind](read_recording(trained.recordings / f"{name}.npz"), tmp_path)
    stated = {"rate_hz": RATE_HZ} if kind == "otb" else STATED  # units other than the file's counts are an error
    assert differing(runs, path, probabilities_of(runs["torch"], trained.matrices / f"{name}.npz"), **stated) == {}


@pytest.mark.parametrize("kind", ROUNDED)
def test_rounding_by_a_format_changes_an_answer_little(trained: Trained, kind: str, tmp_path: Path) -> None:
    runs = trained.engines
    path = COUNTS[kind](read_recording(trained.recordings / "Test_fractions.npz"), tmp_path)
    expected = probabilities_of(runs["torch"], trained.matrices / "Test_fractions.npz")
    rounded = probabilities_of(runs["torch"], path, **STATED)
    assert 0 < largest_difference(renamed(rounded), renamed(expected)) < ROUNDED[kind]
    assert differing(runs, path, rounded, **STATED) == {}
