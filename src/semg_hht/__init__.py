"""Surface EMG of exercise repetitions in; action quality and recorded gender out.

Importing this loads neither torch nor matplotlib.
"""

from semg_hht import hht, samples
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.datasets.label import Labelled, LabelOptions, SensorSource
from semg_hht.errors import InputError
from semg_hht.matrices.transform import configure
from semg_hht.prediction.run import open_run
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.signals.repetitions import Repetition, SegmentConfig, find_repetitions
from semg_hht.signals.sensor_alignment import LagSearch
from semg_hht.signals.sensor_labels import LabelConfig
from semg_hht.version import __version__

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
    "open_run",
    "read_recording",
    "samples",
    "write_recording",
]
