"""verbs/checking.py: problems of data folders."""

from __future__ import annotations

import pytest

from conftest import Simulated
from semg_hht.verbs.checking import SEVERITIES, check


def test_findings_are_counted_and_listed(simulated: Simulated) -> None:
    found = check(str(simulated.matrices))
    assert found.n_files == 12 and len(found) == sum(map(found.count, SEVERITIES))
    pytest.importorskip("pandas")
    assert len(found.to_dataframe()) == len(list(found))
