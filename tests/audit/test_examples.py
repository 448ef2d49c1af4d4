"""Audit of matrices: constant values, copies, mixed preparations, overlaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit_builders import cut, kinds, matrices, relabelled, seen, sentences, sound
from semg_hht.audit import Sides, audit_examples
from semg_hht.audit.examples import people_note
from semg_hht.audit.similarity import Comparison
from semg_hht.matrices.matrix import SIZE


def test_sound_data_has_no_errors_or_warnings() -> None:
    found = audit_examples(sound(6))
    assert kinds(found) == set()
    assert kinds(found, "warning") == set()


def test_a_copied_matrix_under_another_name_is_an_error() -> None:
    data = sound()
    found = audit_examples([*data, relabelled(data[0], "copy.npz", subject="S9")])
    assert "s0_full.npz and copy.npz are the same matrix as subject S0 and S9" in sentences(found, "duplicate")
    assert kinds(found) == {"duplicate"}
    assert not sentences(found, "near-duplicate")


def test_equal_matrices_are_one_finding() -> None:
    data = sound()
    copies = [relabelled(data[0], f"copy{i}.npz") for i in range(14)]
    found = audit_examples([*data, *copies])
    [sentence] = sentences(found, "duplicate")
    assert sentence == "15 files are the same matrix: s0_full.npz, copy0.npz, copy1.npz and 12 more"
    assert not sentences(found, "near-duplicate")


def test_matrices_of_one_signal_are_one_finding() -> None:
    data = sound()
    values = matrices(1, seed=9)[0]
    own = [seen(np.float32(2.0 + i) * values, f"gain{i}.npz", subject="S1", movement="full") for i in range(6)]
    [found] = [f for f in audit_examples([*data, *own]) if f.what == "near-duplicate"]
    assert found.sentence.startswith("6 files hold the same signal (likeness 1.00, unrelated ones stay below 0.")
    assert set(found.files) == {f"gain{i}.npz" for i in range(6)}


def test_many_copies_make_no_others_alike() -> None:
    """Equal rows are no direction that all rows share: without it, rows of different signals would look alike."""
    data = [seen(m, f"{i}.npz", subject=f"S{i % 4}") for i, m in enumerate(matrices(40))]
    copies = [relabelled(one, f"copy{i}_{k}.npz") for i, one in enumerate(data[:4]) for k in range(4)]
    found = audit_examples([*data, *copies])
    assert len(sentences(found, "duplicate")) == 4
    assert not sentences(found, "near-duplicate")


def test_a_copy_of_the_same_person_and_label_is_a_warning() -> None:
    data = sound(6)
    found = audit_examples([*data, relabelled(data[0], "copy.npz")])
    assert kinds(found) == set()
    assert kinds(found, "warning") == {"duplicate"}


def test_a_copy_on_the_other_side_of_a_split_is_an_error() -> None:
    data = [*sound(), relabelled(sound()[0], "copy.npz")]
    files = {"train": {s.row.file for s in data[:-1]}, "validation": set(), "test": {"copy.npz"}}
    sides = Sides("repetition", {k: frozenset(v) for k, v in files.items()}, dict.fromkeys(files, frozenset()))
    assert "s0_full.npz and copy.npz are the same matrix as in train and test" in sentences(
        audit_examples(data, sides), "duplicate"
    )


def test_copies_of_unknown_people_are_an_error() -> None:
    data = [replace(s, row=replace(s.row, subject="")) for s in sound()]
    assert kinds(audit_examples([*data, relabelled(data[0], "copy.npz")])) == {"duplicate"}


def test_a_constant_matrix_is_an_error_and_no_copy_of_another() -> None:
    flat = np.full((1, SIZE, SIZE), 0.5, dtype=np.float32)
    found = audit_examples(
        [*sound(), *(seen(flat, f"flat{i}.npz", subject=f"S{i}", movement="full") for i in range(2))]
    )
    assert sentences(found, "constant") == [f"flat{i}.npz: every value is the same" for i in range(2)]
    assert kinds(found) == {"constant"}


def test_a_dead_channel_of_a_stack_is_an_error() -> None:
    stack = np.concatenate(matrices(2))
    stack[1] = 0
    assert "constant" in kinds(audit_examples([seen(stack, "stack.npz", subject="S1", movement="full")]))


def test_mixed_settings_shapes_and_rates_are_named() -> None:
    data = sound()
    data[0] = replace(data[0], settings="two")
    data[1] = seen(np.concatenate(matrices(2, 7)), "two_planes.npz", "one", subject="S0", movement="half", gender="F")
    data[2:] = [replace(s, row=replace(s.row, rate_hz=500.0 if s.row.gender == "F" else 1000.0)) for s in data[2:]]
    found = audit_examples(data)
    assert sentences(found, "settings") == ["prepared in 2 ways: 11 like two_planes.npz, 1 like s0_full.npz"]
    assert sentences(found, "shape") == [
        "channels in a matrix: 11 with 1 (as s0_full.npz), 1 with 2 (as two_planes.npz)"
    ]
    assert sentences(found, "rates") == ["recorded at 500, 1000 Hz, and F only at 500 Hz, M only at 1000 Hz"]


def test_overlapping_windows_under_two_labels_or_people_are_errors() -> None:
    a, b, c, d = matrices(4)
    found = audit_examples([
        *sound(),
        cut(a, "a.npz", 0, 2, subject="S1", movement="full"),
        cut(b, "b.npz", 1, 3, subject="S1", movement="half"),
        cut(c, "c.npz", 3, 4, subject="S1", movement="half"),
        cut(d, "d.npz", 3.5, 5, subject="S2", movement="half"),
    ])  # fmt: skip
    assert sentences(found, "overlap") == [
        "long.csv: a.npz and b.npz overlap in time but are movement full and half",
        "long.csv: c.npz and d.npz overlap in time but are subject S1 and S2",
    ]


def test_one_repetition_with_two_labels_on_its_channels_is_an_error() -> None:
    a, b = matrices(2)
    rows = [cut(a, "a.npz", 0, 2, subject="S1", movement="full"), cut(b, "b.npz", 0, 2, subject="S1", movement="half")]
    assert len(sentences(audit_examples([*sound(), *rows]), "overlap")) == 1


@pytest.mark.parametrize(
    ("typical", "lowest", "said"),
    [
        (None, None, "was not checked: that takes three people with 20 repetitions each"),
        (0.6, 0.5, "can't be told: of two people, 60% of the repetitions are most like one's own"),
        (
            0.99,
            0.9,
            "was checked by the matrices: of two people, 99% of the repetitions are most like one's own, and 90%",
        ),
    ],
)
def test_the_comparison_of_people_says_in_a_sentence_what_it_could_see(
    typical: float | None, lowest: float | None, said: str
) -> None:
    told = people_note(Comparison((), typical, lowest), "matrices")
    assert told.startswith(f"whether one person stands under two names {said}")
