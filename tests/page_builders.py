"""Read the notes and the downloads of a web page for the tests."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

from semg_hht.matrices.transform import PipelineConfig
from semg_hht.web.view import RunInfo, page_content
from semg_hht.web.visit import Visit

CONFIG = PipelineConfig()
RUN_INFO = RunInfo("run", practice=False, tasks=("action_quality", "gender"))
N_SAMPLES = 300_000  # of the fixture long_recording


def notes_of(visit: Visit, language: str = "en") -> str:
    """Return the notes about files and about the table."""
    page = page_content(replace(visit, language=language), RUN_INFO)
    return page.notes + page.table_notes


def downloads(visit: Visit) -> dict[str, str]:
    """Return the text of each download by its file name."""
    links = re.findall(r'href="data:[^,]*;base64,([^"]*)" download="([^"]*)"', page_content(visit, RUN_INFO).downloads)
    return {name: base64.b64decode(content).decode() for content, name in links}
