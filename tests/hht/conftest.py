"""The transform without its compiled kernel, and the results of other libraries."""

from pathlib import Path

import numpy as np
import pytest

from hht_signals import real_excerpt  # noqa: F401 - a fixture
from real_recordings import recordings_folder  # noqa: F401 - here too, for tests that run without tests/conftest.py
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


@pytest.fixture(scope="session")
def references():
    """Results of other libraries, which tests/references/make_hht_references.py stored."""
    with np.load(Path(__file__).parents[1] / "references" / "hht_references.npz") as stored:
        return dict(stored)


@pytest.fixture(params=kernel.compiled.builds() if kernel.compiled else ["numpy"])
def build(request):
    """Each build of the kernel that this processor can run."""
    if request.param == "numpy":
        pytest.skip("the kernel was not built")
    kernel.compiled.choose(request.param)
    yield request.param
    kernel.compiled.choose(kernel.compiled.builds()[-1])
