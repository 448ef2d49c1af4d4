"""Matrices that were prepared in different ways do not mix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from semg_hht.errors import InputError
from semg_hht.learning.one_preparation import PreparedAs, require_one_preparation, warn_of_mixed_units

FIRST = PreparedAs("a.npz", {"scaling": "log"}, 2, "m1+m2")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"settings": {"scaling": "db"}}, r"b.npz and a.npz were prepared .*\(scaling: db and log\)"),
        ({"settings": None}, "one by this project, one by another tool"),
        ({"n_planes": 3}, "b.npz has 3 channels, a.npz has 2"),
        ({"channel": "m2+m1"}, r"b.npz stacks channels m2\+m1, a.npz m1\+m2"),
    ],
)
def test_another_preparation_is_an_error(other: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        require_one_preparation([FIRST, replace(FIRST, file="b.npz", **other)])


def test_one_preparation_and_other_channels_of_single_planes_mix() -> None:
    def mix(*files: object) -> bool:
        try:
            require_one_preparation(files)
        except InputError:
            return False
        return True

    one = replace(FIRST, n_planes=1)
    assert mix()
    assert mix(FIRST, replace(FIRST, file="b.npz"))
    assert mix(one, replace(one, channel="m2"))
    assert not mix(FIRST, replace(FIRST, channel="m2"))


def test_mixed_units_are_noticed(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_mixed_units({"a.csv": "uV", "b.csv": "uV"})
    assert not caplog.text
    warn_of_mixed_units({"a.csv": "uV", "b.csv": "adc"})
    assert "b.csv" in caplog.text
