"""card.py: answers and measures side by side, in both languages, and no name becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape

from evaluation_builders import HOSTILE, Page, session
from explanation_builders import explanation
from semg_hht.datasets.feature_table import Drift
from semg_hht.errors import InputError
from semg_hht.inference.answers import Answer
from semg_hht.inference.description import SIMULATED_NOTE
from semg_hht.inference.novelty import Reason
from semg_hht.prediction.session import Session
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.reports.card import render_card, without_gender, write_card
from semg_hht.reports.words import LANGUAGES, read_words
from semg_hht.signals.trend import trend, trend_band


def card(made: Session, language: str = "en") -> Page:
    return Page(render_card(made, read_words(language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_tells_each_repetition(language: str) -> None:
    words = read_words(language)
    page = card(session(remarks=("clipped at the end",)), language)
    full, half = words.known("classes", "full"), words.known("classes", "half")
    assert (full, half) == (("full", "half") if language == "en" else ("完整", "半程"))
    rows = page.tables["repetitions"][0][1:]
    assert rows[0] == ["1", "0.50", "1.00", full, "90%", "50.0", "91%", "90"]
    assert rows[1] == ["2", "2.50", "1.00", words.texts["card_unsure"], "60%", "51.0", "93%", "88"]
    assert len(rows) == 6
    assert f"3 × {full}{words.texts['comma']}3 × {words.texts['card_unsure']}" in page.text
    best = words("card_best_last", number=6, value="55.0 µV", mean="95%", n=3, last="98%")
    confidence = words("card_confidence", low="60%", mean="75%", high="90%")
    for said in ("clipped at the end", best, confidence, words.texts["limit_gender"], "70%"):
        assert said in page.text
    spans = [attributes for tag, attributes in page.tags if tag == "rect" and "span" in str(attributes.get("class"))]
    assert [span["class"] for span in spans] == ["span class0", "span unsure"] * 3
    lefts = [float(str(span["x"])) for span in spans]
    np.testing.assert_allclose(lefts, 66 + 684 * (2.0 * np.arange(6) + 0.5) / 12, atol=0.06)


def test_the_trend_on_the_card_is_that_of_the_values() -> None:
    made = session()
    line = made.channels[0].drifts[0].trend
    slope, low, high = (f"{value:+.1f}%" for value in line.percent)
    page = card(made)
    assert f"Median frequency falls, {slope} ({low} to {high})." in page.text.replace("−", "-")
    (label,) = (str(a["aria-label"]) for tag, a in page.tags if tag == "svg" and "over repetitions" in str(a))
    assert f"{line.start:.3g} Hz at the first repetition, {slope} per repetition" in label.replace("−", "-")


def test_the_band_of_the_trend_is_as_wide_as_its_uncertainty_everywhere() -> None:
    made = session()
    page = card(made)
    (band,) = (str(a["points"]).split() for tag, a in page.tags if tag == "polygon")
    lines = [str(a["points"]).split() for tag, a in page.tags if tag == "polyline"]
    low, high = trend_band([m.values["mdf_hz"] for m in made.channels[0].measures])
    n = low.size
    heights = np.array([float(point.split(",")[1]) for point in band])
    line = np.array([float(point.split(",")[1]) for point in lines[0]])
    drawn = heights[:n] - heights[n:][::-1]
    np.testing.assert_allclose(drawn / drawn.max(), (high - low) / (high - low).max(), atol=0.1)
    assert (heights[n:][::-1] <= line).all()
    assert (line <= heights[:n]).all()
    assert drawn.min() > 0.3 * drawn.max()


def test_a_rising_or_steady_value_is_called_so() -> None:
    made = session()
    row = ManifestRow("a.csv")
    for values, said in (([50, 53, 56, 59, 62, 65.1], "RMS rises"), ([50, 40, 60, 45, 55, 50], "no clear trend")):
        drift = Drift(row, "ch1", "rms", "uV", trend(values))
        measures = tuple(
            replace(old, values={"rms": float(v), "mdf_hz": 80.0})
            for old, v in zip(made.channels[0].measures, values, strict=True)
        )
        channel = replace(made.channels[0], drifts=(drift,), measures=measures)
        assert said in card(replace(made, channels=(channel,))).text


def test_large_amplitudes_are_written_without_powers_of_ten() -> None:
    made = session()
    (channel,) = made.channels
    drift = Drift(ManifestRow("a.csv"), "ch1", "rms", "uV", trend([1250, 1253, 1256, 1259, 1262, 1265.1]))
    measures = tuple(replace(old, values={**old.values, "rms": 1250.0}) for old in channel.measures)
    samples = channel.samples * 2786.4 / np.abs(channel.samples).max()
    channel = replace(channel, samples=samples, drifts=(drift,), measures=measures)
    written = render_card(replace(made, channels=(channel,)), read_words("en"))
    assert ">2786<" in written and "1250 µV at the first repetition" in written
    assert not re.search(r"\de\+\d", written)


def test_recorded_gender_is_told_only_where_asked(tmp_path: Path) -> None:
    made = session()
    for gender in (False, True):
        write_card(made, tmp_path / "card.html", gender=gender, overwrite=True)
        page = Page((tmp_path / "card.html").read_text(encoding="utf-8"))
        for said in ("gender", "all repetitions together: F (70%)", read_words("en").texts["limit_gender"]):
            assert (said in page.text) == gender
    alone = {"gender": made.answers["gender"]}
    parts = tuple(replace(part, answers=alone) for part in made.parts)
    with pytest.raises(InputError, match="answers recorded gender alone; expected gender=True"):
        without_gender(replace(made, answers=alone, parts=parts))


def test_few_repetitions_no_promise_and_percent_mvc() -> None:
    made = session(2, promises=False)
    measures = tuple(replace(m, values={**m.values, "percent_mvc": 12.5}) for m in made.channels[0].measures)
    page = card(replace(made, channels=(replace(made.channels[0], measures=measures),)))
    assert "A trend needs at least 4 repetitions." in page.text
    assert "the model calls none unsure" in page.text
    assert page.tables["repetitions"][0][0][-3:] == ["% MVC", "of best", "MDF (Hz)"]
    assert page.tables["repetitions"][0][1][-3:] == ["12.5", "100%", "90"]


def test_a_channel_that_some_repetitions_lack_stays_beside_its_own() -> None:
    made = session()
    second = replace(made.channels[0], name="ch2", measures=made.channels[0].measures[2:4], drifts=())
    rows = card(replace(made, channels=(*made.channels, second))).tables["repetitions"][0]
    assert rows[0][-2:] == ["RMS (µV) ch2", "MDF (Hz) ch2"]
    assert [row[-2:] for row in rows[1:5]] == [["–", "–"], ["–", "–"], ["52.0", "86"], ["53.0", "84"]]
    assert "ch2: repetition 4 (53.0 µV)" in card(replace(made, channels=(*made.channels, second))).text


def test_a_run_that_answers_gender_alone_says_what_gender_is() -> None:
    made = session()
    gender = {"gender": made.answers["gender"]}
    page = card(replace(made, answers=gender, parts=tuple(replace(part, answers=gender) for part in made.parts)))
    assert read_words("en").texts["limit_gender"] in page.text
    assert page.tables["repetitions"][0][0][3] == "recorded gender"


def test_a_long_recording_is_drawn_in_rows() -> None:
    made = session(90)  # 180 s
    page = card(made)
    strips = [attributes for tag, attributes in page.tags if tag == "path"]
    assert len(strips) == 3
    spans = [a for tag, a in page.tags if tag == "rect" and "span" in str(a.get("class"))]
    assert len(spans) == 90
    assert all(66 <= float(str(a["x"])) <= 750 for a in spans)


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_on_a_card_never_become_markup(language: str) -> None:
    made = session()
    wild_answer = Answer(HOSTILE, 0.9, {HOSTILE: 0.9}, (HOSTILE, "x"))
    parts = tuple(replace(part, answers={**part.answers, "action_quality": wild_answer}) for part in made.parts)
    channel = replace(made.channels[0], name=HOSTILE, units=HOSTILE)
    wild = replace(made, file=HOSTILE, parts=parts, channels=(channel,), remarks=(HOSTILE,))
    page = card(wild, language)
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in card(replace(made, remarks=("x",)), language).tags}
    assert page.text.count(HOSTILE) > 8
    html = render_card(wild, read_words(language))
    assert (
        re.findall(r"""(?:href|src)\s*=|https?:|url\(|@import|<script|<link""", html.replace(str(escape(HOSTILE)), ""))
        == []
    )
    assert html == render_card(wild, read_words(language))


def test_a_card_numbers_repetitions_as_its_table_does() -> None:
    late, early = explanation(start_s=2.5, stop_s=3.5, number=1), explanation(start_s=0.5, stop_s=1.5, number=2)
    page = render_card(session(3), read_words("en"), [late, early])
    assert re.findall(r"<strong>repetition (\d): ", page) == ["1", "2"]
    assert "The first 2 repetitions are explained." in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_says_which_repetitions_are_unlike_the_training_data_and_what_the_run_is(language: str) -> None:
    words = read_words(language)
    made = session(remarks=(SIMULATED_NOTE,))
    strange = replace(made.parts[0], unlike=(Reason("high", {"ratio": "300"}),))
    page = card(replace(made, parts=(strange, *made.parts[1:])), language)
    assert "300" in page.text
    assert page.tables["repetitions"][0][1][3] == words.texts["card_unlike_short"]
    assert page.tables["repetitions"][0][3][3] == words.known("classes", "full")
    assert f"1 × {words.texts['unlike']}" in page.text
    assert words.texts["notes"][SIMULATED_NOTE] in page.text
    assert words.texts["unlike"] not in card(made, language).text


def test_a_card_in_chinese_holds_no_english_sentence() -> None:
    remarks = (SIMULATED_NOTE, "channel ch1: 2 gaps were filled by interpolation, the longest of 3 ms")
    page = card(session(remarks=remarks), "zh")
    assert "通道 ch1：2 处间断已用插值填补，最长 3 毫秒" in page.text
    assert re.findall(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", page.text) == []


def test_many_repetitions_of_one_channel_stand_in_two_tables() -> None:
    page = card(session(30))
    assert [len(table) - 1 for table in page.tables["repetitions"]] == [15, 15]
    assert page.tables["repetitions"][1][1][0] == "16"
