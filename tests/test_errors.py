"""Exceptions that the command line prints without a traceback."""

from __future__ import annotations

import pickle

import pytest

from semg_hht.errors import InputError, RateUnknown, TimesUneven, WriteError, missing_library


@pytest.mark.parametrize("kind", [RateUnknown, TimesUneven, WriteError])
def test_every_error_of_a_user_is_an_input_error(kind: type[Exception]) -> None:
    with pytest.raises(InputError, match="full sentence"):
        raise kind("full sentence")
    assert issubclass(InputError, ValueError) and issubclass(TimesUneven, RateUnknown)
    again = pickle.loads(pickle.dumps(kind("full sentence")))  # noqa: S301  # as it passes between processes
    assert type(again) is kind and str(again) == "full sentence"


def test_a_missing_library_names_its_extra_and_a_failing_one_its_reason() -> None:
    missing = missing_library("export", ImportError("No module named 'onnx'", name="onnx"), "export")
    assert str(missing) == "export needs onnx: pip install 'semg-hht[export]'"
    assert str(missing_library("the web page", ImportError("socksio is needed"), "app")) == (
        "the web page can't start: socksio is needed"
    )
