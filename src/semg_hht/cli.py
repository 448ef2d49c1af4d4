"""The command line: parse, call, print. What is computed stands in the other rooms."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from semg_hht import console
from semg_hht.errors import InputError
from semg_hht.options import (
    AsJson,
    Band,
    Channels,
    Cpu,
    Decomposition,
    Mains,
    Overwrite,
    RateHz,
    References,
    Scaling,
    Seed,
    Strict,
    Units,
    config_of,
    mains_hz_of,
)
from semg_hht.pipeline import Failure
from semg_hht.signals.activity import METHODS
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.storage import require_new_file, write_json
from semg_hht.version import __version__
from semg_hht.workers import BACKENDS, workers

# Both --snake_case and --kebab-case name an option.
CONTEXT = {"token_normalize_func": lambda token: token.replace("_", "-"), "help_option_names": ["-h", "--help"]}

app = typer.Typer(
    context_settings=CONTEXT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Surface EMG of exercise repetitions in; action quality and recorded gender out, with honest confidence.",
    epilog="Start with [bold]semg-hht demo[/]: the whole path on simulated people, in about a minute. "
    "--debug with any command shows the traceback of an error.",
)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        console.out.print(f"semg-hht {__version__}")
        raise typer.Exit


@app.command(epilog="Example: semg-hht demo --out demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo"),
    seed: Seed = 42,
    overwrite: Overwrite = False,
) -> None:
    """The whole path on simulated people, ending with a picture to open."""
    from semg_hht.demo import run_demo

    with console.TrainingBar() as bar:
        shown = run_demo(out, seed, overwrite=overwrite, say=console.out.print, track=console.track, **bar.callbacks())
    console.show_reports(shown.result.reports, "subject")
    console.out.print(f"\n{shown.n_right} of {shown.n_repetitions} repetitions of unseen people are right.")
    console.out.print(f"All answers:      {shown.predictions_file}")
    console.out.print(f"Now open:         [bold]{shown.picture}[/]")


@app.command(epilog="Example: semg-hht simulate --out recordings --n_subjects 10")
def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the recordings and their manifest.csv.")],
    n_subjects: Annotated[int, typer.Option(help="People, men and women in turn.")] = 6,
    n_sessions: Annotated[int, typer.Option(help="Recordings of each person; the electrodes shift between them.")] = 1,
    n_repetitions: Annotated[
        int, typer.Option(help="Repetitions of each kind (full, half, invalid) in a recording.")
    ] = 4,
    n_channels: Annotated[int, typer.Option(help="Channels of each recording.")] = 1,
    rate_hz: Annotated[float, typer.Option(help="Samples a second.")] = 1000.0,
    mains: Annotated[str, typer.Option(help="Hum of the mains: 50, 60 or off.")] = "50",
    fatigue: Annotated[float, typer.Option(help="Share by which frequencies fall over a recording.")] = 0.25,
    seed: Seed = 42,
    overwrite: Overwrite = False,
) -> None:
    """Raw sEMG recordings of known truth: people who differ, full, half and invalid repetitions, fatigue, hum, ECG."""
    from semg_hht.samples import write_simulation
    from semg_hht.signals.simulate import SimulationConfig

    mains_hz = mains_hz_of(mains)
    if mains_hz == "auto":
        raise InputError("--mains of a simulation must be 50, 60 or off; got 'auto'")
    hum = {"mains_uv": 0.0} if mains_hz is None else {"mains_hz": mains_hz}
    config = SimulationConfig(n_subjects, n_sessions, n_repetitions, rate_hz, n_channels, fatigue=fatigue, **hum)
    n_recordings = n_subjects * n_sessions
    manifest = write_simulation(
        out,
        config,
        seed,
        overwrite=overwrite,
        track=console.track,
    )
    console.out.print(
        f"{console.counted(n_recordings, 'recording')}, {3 * n_repetitions} repetitions each; the truth: {manifest}"
    )


@app.command(epilog="Example: semg-hht segment recordings --out reps.csv")
def segment(
    input: Annotated[Path, typer.Argument(help="A recording, a folder of recordings, or a manifest.csv.")],
    out: Annotated[Path, typer.Option(help="Table to write; one that exists is never touched.")] = Path("reps.csv"),
    method: Annotated[str, typer.Option(help=f"{' or '.join(METHODS)}.")] = "markov",
    channel: Annotated[
        list[str] | None, typer.Option(help="Channel to go by, by name or number; may be repeated.  [default: all]")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="Intervals or clicks somebody noted, to go by; or a folder of such files.")
    ] = None,
    merge_gap_s: Annotated[float, typer.Option(help="Shorter rests lie within a repetition.")] = 0.5,
    min_duration_s: Annotated[float, typer.Option(help="Shorter activity is no repetition.")] = 0.3,
    max_duration_s: Annotated[float, typer.Option(help="Longer activity is parted at its deepest pause.")] = 15.0,
    ghost_share: Annotated[
        float, typer.Option(help="Activity weaker than this share of the others' amplitude is left out.")
    ] = 0.2,
    band: Band = None,
    mains: Mains = None,
    rate_hz: RateHz = None,
    units: Units = "",
    pictures: Annotated[bool, typer.Option(help="Draw each recording with what was found.")] = True,
    jobs_at_once: Annotated[int, typer.Option("--jobs", help="Recordings at once; -1: as many as cores.")] = -1,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Find the repetitions: a table to check and edit, which prepare reads, and a picture of each recording."""
    from semg_hht.segment import segment as segment_jobs
    from semg_hht.sources import find_jobs

    jobs = find_jobs(input, rate_hz=rate_hz, units=units)
    if channel:
        jobs = [replace(job, rows=tuple(replace(row, channels=tuple(channel)) for row in job.rows)) for job in jobs]
    config = SegmentConfig(method, merge_gap_s, min_duration_s, max_duration_s, ghost_share)
    filters = config_of(band, mains, None, None, None, None).filter
    done = segment_jobs(
        jobs, out, config, filters, events=events, pictures=pictures, n_jobs=jobs_at_once, track=console.track
    )
    console.list_failures(done.failures)
    console.list_remarks([*done.remarks, *(f"{file}: no repetition was found" for file in done.empty)])
    if as_json:
        console.print_json(
            {
                **asdict(done),
                "table": str(done.table),
                "pictures": None if done.pictures is None else str(done.pictures),
            }
        )
    else:
        console.out.print(
            f"{console.counted(done.n_repetitions, 'repetition')} in "
            f"{console.counted(done.n_recordings, 'recording')}: {out}"
        )
        if done.pictures is not None:
            console.out.print(f"  pictures    {done.pictures}")
        console.out.print("  next        check the pictures, correct times and fill in labels in the table, then")
        console.out.print(f"              semg-hht prepare {out} --out prepared")
    _exit_if_strict(strict, done.failures)


@app.command(epilog="Example: semg-hht prepare recordings/manifest.csv --out prepared --band 20 450")
def prepare(
    input: Annotated[Path, typer.Argument(help="A recording, a folder of recordings, or a manifest.csv.")],
    out: Annotated[Path, typer.Option(help="Folder for hht_matrices/ and manifest.csv.")],
    band: Band = None,
    mains: Mains = None,
    decomposition: Decomposition = None,
    scaling: Scaling = None,
    references: References = None,
    channels: Channels = None,
    rate_hz: RateHz = None,
    units: Units = "",
    seed: Seed = 42,
    images: Annotated[bool, typer.Option("--images", help="Write hht_images/*.png too.")] = False,
    jobs_at_once: Annotated[int, typer.Option("--jobs", help="Recordings at once; -1: as many as cores.")] = -1,
    backend: Annotated[str, typer.Option(help=f"Who works: {', '.join(BACKENDS)}.")] = "loky",
    scheduler: Annotated[str, typer.Option(help="Address of a Dask scheduler, for --backend dask.")] = "",
    overwrite: Overwrite = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Recordings -> 256x256 Hilbert-Huang matrices and a manifest.csv that train reads."""
    from semg_hht.prepare import prepare as prepare_folder
    from semg_hht.references import with_references
    from semg_hht.sources import find_jobs

    config = config_of(band, mains, decomposition, scaling, channels, seed)
    with workers(backend, scheduler):
        jobs = with_references(find_jobs(input, rate_hz=rate_hz, units=units), config, references, n_jobs=jobs_at_once)
        done = prepare_folder(
            jobs, out, config, images=images, overwrite=overwrite, n_jobs=jobs_at_once, track=console.track
        )
    console.list_failures(done.failures)
    console.list_remarks(done.remarks)
    if as_json:
        console.print_json({**asdict(done), "folder": str(done.folder), "manifest": str(done.manifest)})
    else:
        console.out.print(
            f"{console.counted(done.n_matrices, 'matrix', 'matrices')} of "
            f"{console.counted(done.n_recordings, 'recording')} in {out / 'hht_matrices'}"
        )
        if done.n_reused:
            console.out.print(f"  {done.n_reused} of them were there already, unchanged: not computed again")
        console.out.print(f"  {done.dropped:.1%} of the energy lay outside the band and was dropped")
        console.out.print(
            f"  {done.n_labelled} of {done.n_matrices} are labelled; labels can be edited in {done.manifest}"
        )
    _exit_if_strict(strict, done.failures)


@app.command(
    epilog="Example: semg-hht train --data_dir prepared/hht_matrices --checkpoint_dir checkpoints --base_channels 8"
)
def train(
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of matrices (.npz), labelled by name or manifest.csv.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Table of labels; its files, matrices or raw recordings, lie in --data_dir or beside it."),
    ] = None,
    checkpoint_dir: Annotated[Path, typer.Option(help="The run directory.")] = Path("checkpoints"),
    epochs: Annotated[int, typer.Option(help="Times every example is trained on.")] = 100,
    batch_size: Annotated[int, typer.Option(help="Examples a step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Peak, after the warm-up.")] = 1e-4,
    test_size: Annotated[float, typer.Option(help="Share of people held out for the final score.")] = 0.2,
    num_encoder_layers: Annotated[int, typer.Option(help="Layers of the encoder, 1 to 8.")] = 7,
    base_channels: Annotated[int, typer.Option(help="Channels of the first layer.")] = 64,
    task: Annotated[str, typer.Option(help="both, action_quality or gender.")] = "both",
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better score.  [default: never]")
    ] = None,
    checkpoint_every: Annotated[int, typer.Option(help="Epochs between the checkpoints that are kept.")] = 20,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --checkpoint_dir.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew where a run stands.")] = False,
    cpu: Cpu = False,
    seed: Seed = 42,
    band: Band = None,
    mains: Mains = None,
    decomposition: Decomposition = None,
    scaling: Scaling = None,
    references: References = None,
    channels: Channels = None,
    as_json: AsJson = False,
) -> None:
    """Train both classifiers, score them on people never trained on, predict the files named Test*."""
    from semg_hht.figures import draw_confusion, draw_history

    _require_training()
    from semg_hht.learning.dataset import find_dataset
    from semg_hht.learning.run import train as train_run
    from semg_hht.learning.training import TrainingConfig

    training = TrainingConfig(
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, test_size=test_size,
        patience=patience, checkpoint_every=checkpoint_every, seed=seed,
    )  # fmt: skip
    stated = (band, mains, decomposition, scaling, channels)
    transforms = references is not None or any(value is not None for value in stated)
    dataset = find_dataset(
        data_dir, manifest, config_of(*stated, seed) if transforms else None, references, track=console.track
    )
    console.list_failures(dataset.failures)
    with console.TrainingBar() as bar:
        try:
            result = train_run(
                dataset, checkpoint_dir, training, n_layers=num_encoder_layers, base_channels=base_channels,
                task=task, resume=resume, overwrite=overwrite, cpu=cpu, **bar.callbacks(),
            )  # fmt: skip
        except KeyboardInterrupt:
            raise InputError(f"stopped; the same command with --resume goes on from {checkpoint_dir}") from None
    draw_history(result.history, result.best_epoch, checkpoint_dir / "history.png")
    draw_confusion(result.reports, checkpoint_dir / "confusion.png")
    if as_json:
        console.out.print_json(checkpoint_dir.joinpath("metrics.json").read_text(encoding="utf-8"))
        return
    console.show_reports(result.reports, result.split_by)
    console.out.print(f"\nbest epoch {result.best_epoch} of {len(result.history)}; the run is in {checkpoint_dir}")
    console.out.print(f"  pictures    {checkpoint_dir / 'history.png'}, {checkpoint_dir / 'confusion.png'}")
    if result.n_unlabelled:
        told = console.counted(result.n_unlabelled, "unlabelled file")
        console.out.print(f"  {told} predicted: {checkpoint_dir / 'test_predictions.json'}")
    console.out.print(
        f"  next        semg-hht predict --checkpoint {checkpoint_dir} --input FILE_OR_DIR --output predictions.json"
    )


@app.command(epilog="Example: semg-hht predict --checkpoint checkpoints --input new_data --output predictions.json")
def predict(
    checkpoint: Annotated[Path, typer.Option(help="A run directory, or one of its checkpoints.")],
    input: Annotated[Path, typer.Option(help="A matrix or recording, a folder of them, or a manifest.csv.")],
    output: Annotated[Path, typer.Option(help="JSON file for the answers.")] = Path("predictions.json"),
    batch_size: Annotated[int, typer.Option(help="Matrices a batch.")] = 32,
    cpu: Cpu = False,
    rate_hz: RateHz = None,
    units: Units = "",
    references: References = None,
    band: Band = None,
    mains: Mains = None,
    decomposition: Decomposition = None,
    scaling: Scaling = None,
    channels: Channels = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the noise of an ensemble.  [default: the run's]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --output if it exists.")] = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Answers for new files. Recordings are prepared as the run's training data was, unless flags say otherwise."""
    from semg_hht.predict import open_run

    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1; got {batch_size}")
    require_new_file(output, overwrite=overwrite)
    run = open_run(checkpoint, cpu=cpu)
    stated = (band, mains, decomposition, scaling, channels)
    if any(value is not None for value in (*stated, seed)):
        config = config_of(*stated, seed, base=run.recording_config)
        if run.recording_config != config:
            console.err.print("[yellow]warning:[/] recordings are prepared otherwise than those the run was trained on")
        run = replace(run, recording_config=config)
    predictions = run.predict(
        input, batch_size=batch_size, rate_hz=rate_hz, units=units, references=references,
        track=console.track,
    )  # fmt: skip
    failures = [Failure(file, reason) for file, reason in predictions.errors.items()]
    console.list_failures(failures)
    if not predictions.predictions:
        raise InputError(f"none of {len(failures)} files could be predicted")
    write_json(output, predictions.to_json())
    if as_json:
        console.print_json(predictions.to_json())
    else:
        for prediction in predictions.predictions[: console.MAX_LISTED]:
            said = ", ".join(f"{answer.prediction} ({answer.confidence:.0%})" for answer in prediction.answers.values())
            console.out.print(f"  {prediction.file}: {said}", markup=False)
        rest = len(predictions.predictions) - console.MAX_LISTED
        if rest > 0:
            console.out.print(f"  and {rest} more")
        console.out.print(f"{console.counted(len(predictions.predictions), 'file')} predicted: {output}")
    _exit_if_strict(strict, failures)


def sample_data(
    output_dir: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("data"),
    n_samples: Annotated[int, typer.Option(help="Labelled files.")] = 20,
    n_test: Annotated[int, typer.Option(help="Unlabelled files, named Test*.")] = 10,
    raw: Annotated[bool, typer.Option("--raw", help="Write recordings (.csv) instead of matrices (.npz).")] = False,
    seed: Seed = 42,
    overwrite: Overwrite = False,
) -> None:
    """Files to practise with: simulated repetitions through the real transform."""
    from semg_hht.samples import write_samples

    written = write_samples(
        output_dir, n_samples, n_test, seed, raw=raw, overwrite=overwrite,
        track=console.track,
    )  # fmt: skip
    console.out.print(f"{len(written)} files in {output_dir}, for example {written[0].name}")


def _require_training() -> None:
    try:
        import lightning_fabric  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise InputError(f"training needs {error.name}: pip install 'semg-hht[train]'") from None


def _exit_if_strict(strict: bool, failures: Sequence[Failure]) -> None:
    if strict and failures:
        raise typer.Exit(1)


def main(args: Sequence[str] | None = None, *, program: typer.Typer = app, name: str = "semg-hht") -> None:
    """Run the command line. Exit code 0; or 1 with one sentence on standard error; 2 for a wrong flag."""
    words = list(sys.argv[1:] if args is None else args)
    console.listen()
    with console.one_sentence(debug="--debug" in words):
        program([word for word in words if word != "--debug"], prog_name=name)


def script(command: Any, name: str) -> None:
    """Front of a root script: one command, the same engine."""
    program = typer.Typer(context_settings=CONTEXT, add_completion=False, pretty_exceptions_enable=False)
    program.command()(command)
    main(program=program, name=name)
