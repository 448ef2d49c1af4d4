"""answers.py: answers in Python and in the prediction JSON."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from semg_hht.evaluation.calibration import Calibration
from semg_hht.inference.answers import (
    Answer,
    Part,
    Prediction,
    Predictions,
    answer,
    answers,
    answers_json,
    halved,
    reasons_of_file,
)
from semg_hht.inference.novelty import Reason


def test_an_answer_goes_by_name() -> None:
    entry = answer(np.array([0.1, 0.7, 0.2]), ("low", "mid", "high"))
    assert (entry.prediction, entry.confidence) == ("mid", 0.7)
    assert list(entry.probabilities) == ["low", "mid", "high"]


def test_an_answer_that_could_be_another_is_unsure() -> None:
    classes = ("low", "mid", "high")
    sure, unsure = (answer(np.array(p), classes, 0.3) for p in ([0.1, 0.8, 0.1], [0.1, 0.5, 0.4]))
    assert (sure.possible, sure.is_unsure) == (("mid",), False)
    assert (unsure.possible, unsure.is_unsure) == (("mid", "high"), True)
    assert unsure.to_json()["unsure"] is True
    assert unsure.to_json()["possible"] == ["mid", "high"]
    assert "unsure" not in answer(np.array([0.1, 0.5, 0.4]), classes).to_json(), "nothing is promised"


def test_a_threshold_of_the_calibration_marks_unsure_answers() -> None:
    probabilities = {"action_quality": np.array([0.1, 0.5, 0.4]), "gender": np.array([0.6, 0.4])}
    classes = {"action_quality": ("low", "mid", "high"), "gender": ("F", "M")}
    by_task = answers(probabilities, classes, {"action_quality": Calibration(threshold=0.3)})
    assert by_task["action_quality"].possible == ("mid", "high")
    assert by_task["gender"] == Answer("F", 0.6, {"F": 0.6, "M": 0.4})
    assert list(answers_json(by_task)) == ["gender", "action_quality"]


def test_predictions_list_parts_channels_remarks_and_errors() -> None:
    gender = Answer("F", 0.6, {"F": 0.6, "M": 0.4})
    entry = {"gender": {"prediction": "F", "confidence": 0.6, "probabilities": {"F": 0.6, "M": 0.4}}}
    part = Part("1", 0.5, None, {"gender": gender}, {"ch1": {"gender": gender}})
    predictions = Predictions((Prediction("a.csv", {"gender": gender}, (part,), ("short",)),), {"b.csv": "empty"})
    assert predictions.to_json() == {
        "a.csv": {
            **entry,
            "parts": [{"repetition": "1", "start_s": 0.5, **entry, "channels": {"ch1": entry}}],
            "remarks": ["short"],
        },
        "errors": {"b.csv": "empty"},
    }
    assert Predictions((Prediction("a.npz", {"gender": gender}),), {}).to_json() == {"a.npz": entry}


def test_a_table_has_a_line_for_each_repetition_matrix_and_error() -> None:
    quality = Answer("full", 0.8, {"full": 0.8, "half": 0.2}, ("full", "half"))
    gender = Answer("F", 0.6, {"F": 0.6, "M": 0.4})
    both = {"action_quality": quality, "gender": gender}
    slow = Reason("rate", {"rate": "200", "trained": "1000"})
    parts = (Part("", 0.5, 1.5, both), Part("b", None, None, {"gender": gender}, unlike=(slow, Reason("contrast"))))
    predictions = Predictions(
        (Prediction("a.csv", both, parts, ("short",)), Prediction("m.npz", {"gender": gender}, unlike=(slow,))),
        {"b.csv": "empty, so"},
    )
    assert predictions.to_csv().splitlines() == [
        "file,repetition,start_s,stop_s,action_quality,action_quality_confidence,action_quality_unsure,"
        "gender,gender_confidence,gender_unsure,unlike,remarks",
        "a.csv,1,0.5,1.5,full,0.8000,yes,F,0.6000,,,short",
        'a.csv,b,,,,,,F,0.6000,,"200 Hz; trained on 1000 Hz; all channels equally strong, as in noise; not so in '
        'training",short',
        "m.npz,1,,,,,,F,0.6000,,200 Hz; trained on 1000 Hz,",
        'b.csv,,,,,,,,,,,"empty, so"',
    ]


def test_predictions_say_in_text_and_in_notebooks_what_is_unlike_and_what_could_not_be_used() -> None:
    gender = Answer("F", 0.6, {"F": 0.6, "M": 0.4})
    strange = Prediction("m.npz", {"gender": gender}, unlike=(Reason("contrast"),))
    predictions = Predictions((strange,), {"b.csv": "empty, so"})
    assert repr(predictions) == (
        "<Predictions for 1 file, 1 could not be used\n  m.npz: F 60%, unlike the training data\n  b.csv: empty, so>"
    )
    assert repr(strange) == "<Prediction for m.npz: F 60%, unlike the training data>"
    page = predictions._repr_html_()
    assert "<p>files predicted: 1; could not be used: 1</p>" in page
    assert "<td>b.csv</td>" in page
    assert "<td>empty, so</td>" in page
    many = Predictions((strange,) * 7, {str(i): "empty" for i in range(4)})
    assert repr(many).splitlines()[-2:] == ["  2: empty", "  ...>"]


def test_an_answer_unlike_the_training_data_is_halved_towards_equal_probabilities_and_excludes_no_class() -> None:
    sure = np.array([0.999, 0.001, 0.0])
    assert_allclose(halved(sure), [2 / 3 - 0.0005, 1 / 6 + 0.0005, 1 / 6], atol=1e-9)
    assert answer(sure, ("a", "b", "c"), 0.2).possible == ("a",)
    assert answer(halved(sure), ("a", "b", "c"), 0.2, is_unlike=True).possible == ("a", "b", "c")
    assert answer(halved(sure), ("a", "b", "c"), is_unlike=True).possible == ()  # the run promises nothing


def test_a_file_has_the_reasons_of_its_repetitions_once_if_half_of_them_have_any() -> None:
    loud, louder = Reason("high", {"ratio": "5"}), Reason("high", {"ratio": "9"})
    assert reasons_of_file([(loud,), (louder, Reason("contrast")), (), ()]) == (loud, Reason("contrast"))
    assert reasons_of_file([(loud,), (), ()]) == ()
    assert reasons_of_file([]) == ()


def test_reasons_stand_in_the_json_and_are_absent_where_there_are_none() -> None:
    gender = {"gender": Answer("F", 0.6, {"F": 0.6, "M": 0.4})}
    unlike = (Reason("high", {"ratio": "300"}),)
    content = Prediction("a.csv", gender, (Part("1", 0.0, 1.0, gender, unlike=unlike),), unlike=unlike).to_json()
    expected = ["amplitude 300 times the largest of the training people"]
    assert content["unlike"] == content["parts"][0]["unlike"] == expected
    assert "unlike" not in Prediction("a.csv", gender).to_json()
