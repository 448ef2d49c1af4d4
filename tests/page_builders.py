"""What the tests of the web page read off it: its notes and its downloads."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

from semg_hht.matrices.transform import PipelineConfig
from semg_hht.web.view import Host, page_of
from semg_hht.web.visit import Visit

CONFIG = PipelineConfig()
HOST = Host("run", practice=False, tasks=("action_quality", "gender"))
N_SAMPLES = 300_000  # of the fixture long_recording


def notes_of(visit: Visit, language: str = "en") -> str:
    """What the page says of troubles."""
    page = page_of(replace(visit, language=language), HOST)
    return page.notes + page.table_notes


def downloads(visit: Visit) -> dict[str, str]:
    """File name -> text, of what can be downloaded."""
    links = re.findall(r'href="data:[^,]*;base64,([^"]*)" download="([^"]*)"', page_of(visit, HOST).downloads)
    return {name: base64.b64decode(content).decode() for content, name in links}
