"""Tests that sentences of one kind become one line."""

from __future__ import annotations

import pytest

from semg_hht.verbs.alike import alike, without_file


def test_sentences_that_differ_in_numbers_are_one_kind() -> None:
    told = [(f"{name}.csv", f"channel biceps is clipped: {n} samples") for n, name in enumerate("abcde", -1)]
    told += [("a.csv", "channel triceps is clipped: 7 samples")]  # no message of the program, so the name counts
    biceps, triceps = alike(told)
    assert (
        biceps.line() == "5 files (a.csv, b.csv, c.csv, ...): channel biceps is clipped: -1 samples (numbers of a.csv)"
    )
    assert biceps.hides
    assert triceps.line() == "a.csv: channel triceps is clipped: 7 samples"
    assert not triceps.hides


def test_messages_that_differ_in_a_name_are_one_kind() -> None:
    told = [(f"{n}.csv", f"channels that are not EMG, by their units: {name} [deg]") for n, name in enumerate("cabcab")]
    (kind,) = alike(told)
    assert kind.line() == (
        "6 files (0.csv, 1.csv, 2.csv, ...): channels that are not EMG, by their units: c [deg]; likewise a [deg], "
        "b [deg]"
    )
    clipped = "channel {} is clipped: {} samples (0.28%) have the value {}, which is an end of its range"
    (kind,) = alike([("a.csv", clipped.format("ch3", 25, 127)), ("a.csv", clipped.format("ch4", 50, -128))])
    assert kind.line() == f"a.csv: {clipped.format('ch3', 25, 127)} (and the like); likewise ch4"
    lacking = "has no channel {}; expected one of {}"  # what there is instead stays part of the kind
    assert len(alike([("a.csv", lacking.format("x", "a, b")), ("b.csv", lacking.format("x", "c, d"))])) == 2


def test_equal_sentences_of_few_files_hide_nothing() -> None:
    (kind,) = alike([("a.csv", "flat"), ("b.csv", "flat"), ("a.csv", "flat")])
    assert kind.line() == "2 files (a.csv, b.csv): flat"
    assert not kind.hides


def test_two_ends_of_one_channel_are_told_once() -> None:
    (kind,) = alike([("a.csv", "9 samples have the value -5"), ("a.csv", "8 samples have the value -6")])
    assert kind.line() == "a.csv: 9 samples have the value -5 (and the like)"
    assert kind.hides


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("/my data/a.csv: no rate", "no rate"),
        ("a.csv: no rate", "no rate"),
        ("data.csv: no rate", "data.csv: no rate"),
        ("no rate", "no rate"),
    ],
)
def test_the_path_at_the_start_is_left_out(sentence: str, text: str) -> None:
    assert without_file("a.csv", sentence) == text
