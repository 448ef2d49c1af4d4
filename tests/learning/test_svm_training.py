"""The calibrated SVM: fitting, saving, loading."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.testing import assert_allclose
from sklearn.preprocessing import FunctionTransformer

from semg_hht.errors import InputError
from semg_hht.learning.svm_training import fit_svm, load_svm, save_svm, spread


def people(n_subjects: int = 8, n_each: int = 4, gap: float = 3.0) -> tuple[np.ndarray, list[str], list[str]]:
    rng = np.random.default_rng(0)
    labels = ["FM"[who % 2] for who in range(n_subjects) for _ in range(n_each)]
    groups = [f"S{who}" for who in range(n_subjects) for _ in range(n_each)]
    features = rng.standard_normal((len(labels), 5)).astype(np.float32)
    features[:, 0] += gap * (np.array(labels) == "M")
    return features, labels, groups


def fitted(**options: Any) -> Any:
    return fit_svm(*people(**options), what="gender", by="subject", seed=0)


def test_the_pipeline_has_the_documented_steps_and_parameters() -> None:
    svm = fitted()
    assert [name for name, _ in svm.steps] == ["standardscaler", "calibratedclassifiercv"]
    inner = svm[-1].estimator
    assert (inner.C, inner.gamma, inner.kernel) == (10.0, "scale", "rbf")
    assert not inner.probability or inner.probability == "deprecated"
    assert list(svm.classes_) == ["F", "M"]


def test_probabilities_separate_the_genders() -> None:
    features, labels, _ = people()
    probabilities = fitted().predict_proba(features)
    assert_allclose(probabilities.sum(axis=1), 1)
    assert np.mean(probabilities[:, 1][np.array(labels) == "M"]) > 0.7
    assert np.mean(probabilities[:, 1][np.array(labels) == "F"]) < 0.3


def test_uninformative_features_give_nearly_equal_probabilities() -> None:
    probabilities = fitted(gap=0.0).predict_proba(people(gap=0.0)[0])
    assert np.abs(probabilities - 0.5).mean() < 0.3


def test_calibration_folds_share_no_person(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.calibration import CalibratedClassifierCV

    seen: list[Any] = []
    fit = CalibratedClassifierCV.fit

    def spy(self: Any, *args: Any, **options: Any) -> Any:
        seen.extend(self.cv)
        return fit(self, *args, **options)

    monkeypatch.setattr(CalibratedClassifierCV, "fit", spy)
    fitted()
    groups = np.array(people()[2])
    assert len(seen) >= 2
    for train, test in seen:
        assert set(groups[train]).isdisjoint(groups[test])


def test_a_seed_gives_the_same_probabilities() -> None:
    features = people()[0]
    assert_allclose(fitted().predict_proba(features), fitted().predict_proba(features), rtol=0)


def test_a_gender_of_one_person_gives_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    svm = fitted(n_subjects=2)
    assert "a class of gender has only one subject" in caplog.text
    assert svm.predict_proba(people()[0]).shape == (32, 2)


def test_a_single_example_of_a_gender_does_not_crash() -> None:
    """The network is already trained by then, so that a failed calibration must be a clear error."""
    features, labels, groups = people(n_subjects=2)
    try:
        svm = fit_svm(features[:5], labels[:5], groups[:5], what="gender", by="subject", seed=0)
    except InputError as error:
        assert "gender" in str(error)  # noqa: PT017
    else:
        assert svm.predict_proba(features).shape == (8, 2)


def test_a_saved_svm_gives_the_same_probabilities(tmp_path: Path) -> None:
    svm, features = fitted(), people()[0]
    save_svm(svm, tmp_path / "gender.skops")
    back = load_svm(tmp_path / "gender.skops")
    assert_allclose(back.predict_proba(features), svm.predict_proba(features), rtol=1e-12)
    assert (tmp_path / "gender.skops").read_bytes()[:2] == b"PK"


class Foreign:
    """A type this project does not write."""

    def __init__(self) -> None:
        self.value = 1


def test_a_foreign_type_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        skops.io.dump(Foreign(), tmp_path / "gender.skops")
    with pytest.raises(InputError, match=r"gender\.skops: holds types that this project does not write \(.*Foreign"):
        load_svm(tmp_path / "gender.skops")


def test_a_function_in_the_pipeline_is_refused(tmp_path: Path) -> None:
    import os

    skops.io.dump(FunctionTransformer(os.mkdir), tmp_path / "gender.skops")
    with pytest.raises(InputError, match=r"holds types that this project does not write \(.*mkdir"):
        load_svm(tmp_path / "gender.skops")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gender.skops").write_bytes(content)
    with pytest.raises(InputError, match=r"gender\.skops: can't be read as a skops file"):
        load_svm(tmp_path / "gender.skops")


def test_a_subset_has_equal_shares_of_all_kinds() -> None:
    kinds = ["a"] * 50 + ["b"] * 3 + ["c"] * 20
    chosen = spread(kinds, 21, seed=1)
    assert Counter(kinds[i] for i in chosen) == {"a": 9, "b": 3, "c": 9}
    assert list(chosen) == sorted(set(chosen))
    assert list(spread(kinds, 21, seed=1)) == list(chosen) != list(spread(kinds, 21, seed=2))
    assert list(spread(kinds, 73, seed=1)) == list(range(73))


def test_at_most_max_rows_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels, groups = people(n_each=20)
    monkeypatch.setattr("semg_hht.learning.svm_training.MAX_ROWS", 64)
    rows = spread(list(zip(groups, labels, strict=True)), 64, seed=0)
    fewer = fit_svm(features[rows], [labels[i] for i in rows], [groups[i] for i in rows], what="", by="", seed=0)
    found = fit_svm(features, labels, groups, what="gender", by="subject", seed=0)
    assert_allclose(found.predict_proba(features), fewer.predict_proba(features), rtol=0)


def test_the_same_svm_gives_the_same_bytes(tmp_path: Path) -> None:
    """skops names members by memory address and writes their date."""
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((24, 3)), ["F", "M"] * 12
    svm = fit_svm(features, labels, [f"S{i // 4}" for i in range(24)], what="gender", by="subject", seed=0)
    copied = copy.deepcopy(svm)
    for name, one in (("a", svm), ("b", copied)):
        save_svm(one, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert np.array_equal(load_svm(tmp_path / "a").predict_proba(features), svm.predict_proba(features))
