"""Surface EMG of exercise repetitions in; action quality and recorded gender out.

Importing this loads nothing else: a name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from semg_hht.version import __version__

if TYPE_CHECKING:
    from semg_hht import hht, samples
    from semg_hht.datasets.find_inputs import InputOptions
    from semg_hht.datasets.label import Labelled, LabelOptions, SensorSource, label
    from semg_hht.errors import InputError
    from semg_hht.matrices.transform import configure
    from semg_hht.prediction.run import open_run
    from semg_hht.recordings.recording import Recording, read_recording, write_recording
    from semg_hht.signals.repetitions import Repetition, SegmentConfig, find_repetitions
    from semg_hht.signals.sensor_alignment import LagSearch
    from semg_hht.signals.sensor_labels import LabelConfig

__all__ = [
    "InputError",
    "InputOptions",
    "LabelConfig",
    "LabelOptions",
    "Labelled",
    "LagSearch",
    "Recording",
    "Repetition",
    "SegmentConfig",
    "SensorSource",
    "__version__",
    "configure",
    "find_repetitions",
    "hht",
    "label",
    "open_run",
    "read_recording",
    "samples",
    "write_recording",
]

_MODULE_OF = {
    "InputOptions": "datasets.find_inputs",
    "Labelled": "datasets.label",
    "LabelOptions": "datasets.label",
    "SensorSource": "datasets.label",
    "label": "datasets.label",
    "InputError": "errors",
    "configure": "matrices.transform",
    "open_run": "prediction.run",
    "Recording": "recordings.recording",
    "read_recording": "recordings.recording",
    "write_recording": "recordings.recording",
    "Repetition": "signals.repetitions",
    "SegmentConfig": "signals.repetitions",
    "find_repetitions": "signals.repetitions",
    "LagSearch": "signals.sensor_alignment",
    "LabelConfig": "signals.sensor_labels",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _MODULE_OF:  # a package
        return import_module(f"semg_hht.{name}")
    globals()[name] = found = getattr(import_module(f"semg_hht.{_MODULE_OF[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
