"""A visitor of the page for the tests, who sends the requests that its script sends."""

from __future__ import annotations

import json
import socket
import time
import zipfile
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.run import Run
from semg_hht.web.address import PageAddress
from semg_hht.web.page_server import application
from semg_hht.web.page_steps import Page
from semg_hht.web.shared_run import Desk
from semg_hht.web.visitors import Visitors

FILTERS = PipelineConfig().filter


class PageVisitor:
    """One visit of a page that is served without a network."""

    def __init__(self, page: Page, language: str = "en") -> None:
        self.client = TestClient(application(page, PageAddress()), base_url="http://localhost:7860")
        answer = self.client.post("/api/visit", json={"language": language}).json()
        self.key, self.state = answer["visit"], answer["state"]
        self.client.headers["X-Visit"] = self.key

    @property
    def files(self) -> list[dict[str, Any]]:
        return list(self.state["files"])

    def post(self, step: str, expected: int = 200, /, **content: Any) -> dict[str, Any]:
        answer = self.client.post(f"/api/{step}", json=content)
        assert answer.status_code == expected, answer.text
        if expected == 200:
            self.state = answer.json()
        return dict(answer.json())

    def drop(self, path: Path, name: str = "") -> dict[str, Any]:
        """Upload a file; returns what the page shows of the file that was added last."""
        answer = self.client.post(f"/api/file?name={name or path.name}", content=path.read_bytes())
        assert answer.status_code == 200, answer.text
        self.state = answer.json()
        return self.files[-1] if self.files else {}

    def wait(self, most_s: float = 60) -> dict[str, Any]:
        """Wait for the work in the background, and return how it ended."""
        end = time.monotonic() + most_s
        while not (job := self.client.get("/api/job").json())["done"]:
            assert time.monotonic() < end
            time.sleep(0.02)
        self.state = self.client.get("/api/state").json()
        return dict(job)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def page_of(visitors: Visitors, run: Run | None = None, **others: Any) -> Page:
    return Page(Desk(own=run, name="run", **others), visitors, max_upload=20_000_000)


def written(tmp_path: Path, **members: Any) -> Path:
    path = tmp_path / "x.semg.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
    return path


def described(**changes: Any) -> dict[str, Any]:
    file = {"name": "a.csv", "member": "data", "about": {}, "repetitions": None, "maximum": None, **changes}
    return {"version": 1, "files": [file]}
