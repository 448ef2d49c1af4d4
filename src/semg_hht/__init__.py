"""Surface EMG of exercise repetitions in; action quality and recorded gender out.

Importing this loads nothing else: a name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from semg_hht.version import __version__

if TYPE_CHECKING:
    from semg_hht import hht, samples
    from semg_hht.audit.check import CheckResult
    from semg_hht.audit.finding import Finding
    from semg_hht.datasets.feature_table import Measured, Measures
    from semg_hht.datasets.find_inputs import InputOptions
    from semg_hht.datasets.label import Labelled, LabelOptions, SensorSource
    from semg_hht.datasets.labelled_repetitions import RepetitionArrays, read_repetitions
    from semg_hht.datasets.prepared import Prepared
    from semg_hht.datasets.segment import Pictures, Segmented
    from semg_hht.errors import InputError
    from semg_hht.estimators.repetition_classifier import RepetitionClassifier
    from semg_hht.estimators.transformers import ChannelCovariance, EmgFeatures, HilbertSpectrumTransformer
    from semg_hht.explanation.explanation import Explanation
    from semg_hht.exports.export import ExportResult
    from semg_hht.figures.label_plot import plot_labels
    from semg_hht.figures.result_plots import plot_confusion, plot_history, plot_matrix, plot_spectrum
    from semg_hht.figures.signal_plots import plot_imfs, plot_recording, plot_repetitions, plot_trend
    from semg_hht.inference.answers import Answer, Part, Prediction, Predictions
    from semg_hht.learning.dataset import Dataset
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, Result, RunOptions
    from semg_hht.matrices.matrix import Matrix, read_matrix
    from semg_hht.matrices.transform import PipelineConfig, configure
    from semg_hht.prediction.run import Run, open_run
    from semg_hht.recordings.manifest import ManifestRow
    from semg_hht.recordings.recording import Recording, read_recording, write_recording
    from semg_hht.reports.explanation_text import plot_explanation
    from semg_hht.signals.filters import FilterConfig
    from semg_hht.signals.repetition_stack import stack_repetitions
    from semg_hht.signals.repetitions import Repetition, SegmentConfig, find_repetitions
    from semg_hht.signals.sensor_alignment import LagSearch
    from semg_hht.signals.sensor_labels import LabelConfig
    from semg_hht.signals.simulate import SimulationConfig
    from semg_hht.verbs.checking import check
    from semg_hht.verbs.evaluating import Evaluated, EvaluationOptions, evaluate
    from semg_hht.verbs.explaining import Evidence, ExplainOptions, explain
    from semg_hht.verbs.exporting import export
    from semg_hht.verbs.labelling import label
    from semg_hht.verbs.measuring import FeatureOptions, features
    from semg_hht.verbs.predicting import PredictOptions, predict
    from semg_hht.verbs.preparing import PrepareOptions, prepare
    from semg_hht.verbs.reporting import ReportOptions, report
    from semg_hht.verbs.segmenting import SegmentOptions, segment
    from semg_hht.verbs.simulating import simulate
    from semg_hht.verbs.training import LoadOptions, load_dataset, train
    from semg_hht.verbs.work import Work

__all__ = [
    "Answer",
    "ChannelCovariance",
    "CheckResult",
    "Dataset",
    "EmgFeatures",
    "Evaluated",
    "EvaluationOptions",
    "Evidence",
    "ExplainOptions",
    "Explanation",
    "ExportResult",
    "FeatureOptions",
    "FilterConfig",
    "Finding",
    "HilbertSpectrumTransformer",
    "InputError",
    "InputOptions",
    "LabelConfig",
    "LabelOptions",
    "Labelled",
    "LagSearch",
    "LoadOptions",
    "ManifestRow",
    "Matrix",
    "Measured",
    "Measures",
    "NetworkSize",
    "Part",
    "Pictures",
    "PipelineConfig",
    "PredictOptions",
    "Prediction",
    "Predictions",
    "PrepareOptions",
    "Prepared",
    "Recording",
    "Repetition",
    "RepetitionArrays",
    "RepetitionClassifier",
    "ReportOptions",
    "Result",
    "Run",
    "RunOptions",
    "SegmentConfig",
    "SegmentOptions",
    "Segmented",
    "SensorSource",
    "SimulationConfig",
    "TrainingConfig",
    "Work",
    "__version__",
    "check",
    "configure",
    "evaluate",
    "explain",
    "export",
    "features",
    "find_repetitions",
    "hht",
    "label",
    "load_dataset",
    "open_run",
    "plot_confusion",
    "plot_explanation",
    "plot_history",
    "plot_imfs",
    "plot_labels",
    "plot_matrix",
    "plot_recording",
    "plot_repetitions",
    "plot_spectrum",
    "plot_trend",
    "predict",
    "prepare",
    "read_matrix",
    "read_recording",
    "read_repetitions",
    "report",
    "samples",
    "segment",
    "simulate",
    "stack_repetitions",
    "train",
    "write_recording",
]

_MODULE_OF = {
    "CheckResult": "audit.check",
    "Finding": "audit.finding",
    "Measured": "datasets.feature_table",
    "Measures": "datasets.feature_table",
    "InputOptions": "datasets.find_inputs",
    "Labelled": "datasets.label",
    "LabelOptions": "datasets.label",
    "SensorSource": "datasets.label",
    "RepetitionArrays": "datasets.labelled_repetitions",
    "read_repetitions": "datasets.labelled_repetitions",
    "Prepared": "datasets.prepared",
    "Pictures": "datasets.segment",
    "Segmented": "datasets.segment",
    "InputError": "errors",
    "RepetitionClassifier": "estimators.repetition_classifier",
    "ChannelCovariance": "estimators.transformers",
    "EmgFeatures": "estimators.transformers",
    "HilbertSpectrumTransformer": "estimators.transformers",
    "Explanation": "explanation.explanation",
    "ExportResult": "exports.export",
    "plot_labels": "figures.label_plot",
    "plot_confusion": "figures.result_plots",
    "plot_history": "figures.result_plots",
    "plot_matrix": "figures.result_plots",
    "plot_spectrum": "figures.result_plots",
    "plot_imfs": "figures.signal_plots",
    "plot_recording": "figures.signal_plots",
    "plot_repetitions": "figures.signal_plots",
    "plot_trend": "figures.signal_plots",
    "Answer": "inference.answers",
    "Part": "inference.answers",
    "Prediction": "inference.answers",
    "Predictions": "inference.answers",
    "Dataset": "learning.dataset",
    "TrainingConfig": "learning.epochs",
    "NetworkSize": "learning.train",
    "Result": "learning.train",
    "RunOptions": "learning.train",
    "Matrix": "matrices.matrix",
    "read_matrix": "matrices.matrix",
    "PipelineConfig": "matrices.transform",
    "configure": "matrices.transform",
    "Run": "prediction.run",
    "open_run": "prediction.run",
    "ManifestRow": "recordings.manifest",
    "Recording": "recordings.recording",
    "read_recording": "recordings.recording",
    "write_recording": "recordings.recording",
    "plot_explanation": "reports.explanation_text",
    "FilterConfig": "signals.filters",
    "stack_repetitions": "signals.repetition_stack",
    "Repetition": "signals.repetitions",
    "SegmentConfig": "signals.repetitions",
    "find_repetitions": "signals.repetitions",
    "LagSearch": "signals.sensor_alignment",
    "LabelConfig": "signals.sensor_labels",
    "SimulationConfig": "signals.simulate",
    "check": "verbs.checking",
    "Evaluated": "verbs.evaluating",
    "EvaluationOptions": "verbs.evaluating",
    "evaluate": "verbs.evaluating",
    "Evidence": "verbs.explaining",
    "ExplainOptions": "verbs.explaining",
    "explain": "verbs.explaining",
    "export": "verbs.exporting",
    "label": "verbs.labelling",
    "FeatureOptions": "verbs.measuring",
    "features": "verbs.measuring",
    "PredictOptions": "verbs.predicting",
    "predict": "verbs.predicting",
    "PrepareOptions": "verbs.preparing",
    "prepare": "verbs.preparing",
    "ReportOptions": "verbs.reporting",
    "report": "verbs.reporting",
    "SegmentOptions": "verbs.segmenting",
    "segment": "verbs.segmenting",
    "simulate": "verbs.simulating",
    "LoadOptions": "verbs.training",
    "load_dataset": "verbs.training",
    "train": "verbs.training",
    "Work": "verbs.work",
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
