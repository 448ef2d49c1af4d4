"""scikit-learn estimators over the functions of this package, for `cross_val_score`, `GridSearchCV` and pipelines.

They take repetitions as arrays. They need scikit-learn, which the extra ``estimators`` installs.
"""

from semg_hht.errors import missing_library

try:
    from semg_hht.estimators.repetition_classifier import RepetitionClassifier
    from semg_hht.estimators.transformers import ChannelCovariance, EmgFeatures, HilbertSpectrumTransformer
except ImportError as error:
    raise missing_library("an estimator", error, "estimators") from None

__all__ = ["ChannelCovariance", "EmgFeatures", "HilbertSpectrumTransformer", "RepetitionClassifier"]
