"""The transform without its compiled kernel."""

import pytest

from semg_hht.hht import kernel


@pytest.fixture(scope="session")
def on_numpy():
    """Call a function as if the kernel had not been built."""

    def call(function, *arguments, **options):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "compiled", None)
            patch.setattr(kernel, "_warned", True)
            return function(*arguments, **options)

    return call
