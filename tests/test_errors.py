"""Exceptions that the command line prints without a traceback."""

from __future__ import annotations

import pytest

from semg_hht.errors import InputError, RateUnknown, WriteError


@pytest.mark.parametrize("kind", [RateUnknown, WriteError])
def test_every_error_of_a_user_is_an_input_error(kind: type[Exception]) -> None:
    with pytest.raises(InputError, match="full sentence"):
        raise kind("full sentence")
    assert issubclass(InputError, ValueError)
