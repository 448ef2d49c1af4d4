"""Where the real recordings are: beside the repository. Needs neither torch nor the package."""

from __future__ import annotations

from pathlib import Path

import pytest

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def recordings_folder() -> Path | None:
    """The folder of real recordings beside the repository; None where a clone has none, as most have."""
    return RECORDINGS if RECORDINGS.is_dir() else None


@pytest.fixture(scope="session")
def real_data(recordings_folder: Path | None) -> Path:
    """The folder of real recordings; a test that needs it is skipped where it is absent."""
    if recordings_folder is None:
        pytest.skip("no real recordings beside the repository")
    return recordings_folder
