"""transformers.py: the same numbers as the command line's functions, and scikit-learn's own checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from estimator_checks import failing_on_signals, failing_on_tables, give_signals
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.labelled_repetitions import RepetitionArrays, read_repetitions
from semg_hht.errors import InputError
from semg_hht.estimators import ChannelCovariance, EmgFeatures, HilbertSpectrumTransformer
from semg_hht.matrices.transform import transform_job
from semg_hht.signals.features import FEATURES
from semg_hht.signals.repetition_stack import stack_repetitions

TRANSFORMERS = [HilbertSpectrumTransformer(1000), EmgFeatures(1000), ChannelCovariance(1000)]
X = np.random.default_rng(0).normal(size=(6, 2, 300))


@pytest.fixture(scope="module")
def people(simulated: Any) -> RepetitionArrays:
    return read_repetitions(simulated.manifest, filters=simulated.config.filter)


@parametrize_with_checks(TRANSFORMERS, expected_failed_checks=failing_on_tables)
@pytest.mark.filterwarnings("ignore:a repetition of X has")
def test_checks_of_scikit_learn_on_two_dimensions(estimator: Any, check: Any) -> None:
    assert check(estimator) is None  # it raises what it finds


@parametrize_with_checks(TRANSFORMERS[1:], expected_failed_checks=failing_on_signals)
@pytest.mark.filterwarnings("ignore:a repetition of X has")
def test_checks_of_scikit_learn_on_three_dimensions(
    estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each column of scikit-learn's tables becomes a channel. The matrices of a hundred channels would fill memory."""
    give_signals(monkeypatch)
    assert check(estimator) is None  # it raises what it finds


def test_matrices_features_and_covariances_are_those_of_prepare(people: RepetitionArrays, simulated: Any) -> None:
    """Bit for bit, also for repetitions of different durations."""
    examples = [e for job in find_jobs(simulated.manifest) for e in transform_job(job, 1, simulated.config)]
    assert len(set(np.isnan(people.X).sum(axis=-1).ravel())) > 1  # durations differ
    matrices = HilbertSpectrumTransformer(people.rate_hz, band_hz=(20.0, 200.0), flat=False).fit_transform(people.X)
    assert_array_equal(matrices[:, 0], [example.matrix.values[0] for example in examples])
    table = EmgFeatures(people.rate_hz, logarithm=False).fit_transform(people.X)
    assert_array_equal(table, [[example.matrix.features[name][0] for name in FEATURES] for example in examples])
    covariances = ChannelCovariance(people.rate_hz).fit_transform(people.X)
    assert_array_equal(covariances, [example.matrix.covariance for example in examples])


def test_flat_rows_hold_the_matrices_of_all_channels() -> None:
    flat = HilbertSpectrumTransformer(1000).fit_transform(X)
    matrices = HilbertSpectrumTransformer(1000, flat=False).fit_transform(X)
    assert flat.shape == (6, 2 * 256 * 256) and matrices.shape == (6, 2, 256, 256)
    assert_array_equal(flat, matrices.reshape(6, -1))


def test_an_ensemble_is_seeded() -> None:
    def made(random_state: int) -> Any:
        transformer = HilbertSpectrumTransformer(1000, decomposition="eemd", random_state=random_state)
        return transformer.fit_transform(X[:1, :1])

    assert_array_equal(made(0), made(0))
    assert not np.array_equal(made(0), made(1))


def test_features_are_named_and_chosen() -> None:
    features = EmgFeatures(1000, features=("mdf_hz", "rms"))
    table = features.fit_transform(X)
    assert features.get_feature_names_out().tolist() == ["ch1_mdf_hz", "ch1_rms", "ch2_mdf_hz", "ch2_rms"]
    whole = EmgFeatures(1000, logarithm=False).fit(X)
    assert_array_equal(table[:, 1], np.log10(whole.transform(X)[:, whole.get_feature_names_out() == "ch1_rms"][:, 0]))
    frame = features.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == features.get_feature_names_out().tolist()


def test_a_constant_channel_has_no_frequency() -> None:
    silent = X.copy()
    silent[0, 0] = 0.0
    assert EmgFeatures(1000, features=("mdf_hz",)).fit_transform(silent)[0, 0] == 0


@pytest.mark.filterwarnings("ignore:a repetition of X has")
def test_lags_that_do_not_fit_are_left_out() -> None:
    covariance = ChannelCovariance(1000).fit(X[..., :9])
    assert covariance.n_lags_ == 2
    assert covariance.transform(X[..., :9]).shape == (6, 10)
    with pytest.raises(InputError, match="expected at least 7 samples; found 6"):
        covariance.transform(X[..., :6])


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (EmgFeatures(1000, features=("power",)), "feature 'power' is unknown; expected some of duration_s, rms"),
        (ChannelCovariance(1000, n_lags=0), "n_lags must be at least 1; got 0"),
        (HilbertSpectrumTransformer(1000, scaling="loud"), "scaling 'loud' is unknown"),
    ],
)
def test_wrong_settings_are_refused_in_fit(estimator: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        clone(estimator).fit(X)


def test_pipelines_grids_and_cross_validation_by_people(people: RepetitionArrays) -> None:
    pipeline = make_pipeline(EmgFeatures(people.rate_hz), StandardScaler(), SVC())
    scores = cross_val_score(pipeline, people.X, people.y, groups=people.groups, cv=GroupKFold(2))
    assert scores.shape == (2,) and scores.min() > 1 / 3
    search = GridSearchCV(pipeline, {"emgfeatures__features": [None, ("rms",)], "svc__C": [1, 10]}, cv=GroupKFold(2))
    search.fit(people.X, people.y, groups=people.groups)
    assert search.best_score_ >= scores.mean()


def test_a_pipeline_is_kept_without_a_pickle(people: RepetitionArrays, tmp_path: Path) -> None:
    skops = pytest.importorskip("skops.io")
    pipeline = make_pipeline(EmgFeatures(people.rate_hz), StandardScaler(), SVC()).fit(people.X, people.y)
    skops.dump(pipeline, tmp_path / "pipeline.skops")
    trusted = skops.get_untrusted_types(file=tmp_path / "pipeline.skops")
    assert trusted == ["semg_hht.estimators.transformers.EmgFeatures"]
    again = skops.load(tmp_path / "pipeline.skops", trusted=trusted)
    assert_array_equal(again.predict(people.X), pipeline.predict(people.X))


def test_repetitions_of_different_durations_are_what_they_are_alone() -> None:
    short, long = X[0, :, :200], X[1]
    stack = stack_repetitions([short, long])
    for transformer in map(clone, TRANSFORMERS):
        rows = transformer.fit_transform(stack)
        assert_array_equal(rows[0], transformer.fit_transform(short[None])[0])
        assert_array_equal(rows[1], transformer.fit_transform(long[None])[0])
