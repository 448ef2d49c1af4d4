"""A page that is told to end while it is busy ends soon, without error, and leaves nothing but what is kept."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from page_browser import serving
from semg_hht import samples
from semg_hht.datasets.simulated import write_simulation
from semg_hht.recordings.manifest import read_manifest
from semg_hht.signals.simulate import SimulationConfig

ENDS_WITHIN_S = 5.0


def post(served: str, path: str, body: bytes, key: str = "") -> bytes:
    headers = {"X-Visit": key, "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(served + path, body, headers), timeout=60) as answer:
        return bytes(answer.read())


def processes_of(folder: Path) -> set[int]:
    """Those whose temporary files lie in the folder."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"TMPDIR={folder}".encode() in (process / "environ").read_bytes():
                found.add(int(process.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
def test_a_page_that_reads_files_ends_soon_and_leaves_no_process(tmp_path: Path) -> None:
    """Five visitors upload files that take seconds to read; one has a session that is kept."""
    folder, kept, real = tmp_path / "t", tmp_path / "kept", next(iter(samples.recordings().values()))
    folder.mkdir()
    large = b"time_s,a [mV],b [mV]\n" + b"".join(
        b"%.3f,%.4f,%.4f\n" % (i / 1000, a, b)
        for i, (a, b) in enumerate(np.random.default_rng(0).standard_normal((200_000, 2)))
    )

    def upload(served: str) -> None:
        with suppress(Exception):  # the page ends
            key = post(served, "/api/visit", b"{}").split(b'"visit":"')[1].split(b'"')[0].decode()
            while True:
                post(served, "/api/file?name=a.csv", large, key)

    with serving(folder, "--sessions", str(kept)) as served:
        key = post(served, "/api/visit", b"{}").split(b'"visit":"')[1].split(b'"')[0].decode()
        post(served, f"/api/file?name={real.name}", real.read_bytes(), key)
        threads = [threading.Thread(target=upload, args=(served,), daemon=True) for _ in range(5)]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        (server,) = [one for one in processes_of(folder) if b"\0app\0" in Path(f"/proc/{one}/cmdline").read_bytes()]
        begun_s = time.monotonic()
        os.kill(server, signal.SIGTERM)
        while Path(f"/proc/{server}/stat").exists() and b") Z " not in Path(f"/proc/{server}/stat").read_bytes():
            assert time.monotonic() - begun_s < 4 * ENDS_WITHIN_S  # it is 1.5 s where nothing else runs
            time.sleep(0.05)
    for _ in range(40):  # the fork server ends when it finds its server gone
        if not processes_of(folder):
            break
        time.sleep(0.1)
    assert not processes_of(folder)
    for session in kept.iterdir():
        assert zipfile.ZipFile(session).testzip() is None
    assert any(real.name in zipfile.ZipFile(session).read("session.json").decode() for session in kept.iterdir())


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl+C reaches the processes of this test, also where a shell started it in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
def test_a_second_ctrl_c_does_not_interrupt_the_end(
    heard: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    table = write_simulation(tmp_path / "r", SimulationConfig(3, n_repetitions=2, rate_hz=500.0), seed=1)
    with serving(folder) as served:
        key = post(served, "/api/visit", b"{}").split(b'"visit":"')[1].split(b'"')[0].decode()
        for path in [table, *sorted({table.parent / row.file for row in read_manifest(table)})]:
            post(served, f"/api/file?name={path.name}", path.read_bytes(), key)
        (server,) = [one for one in processes_of(folder) if b"\0app\0" in Path(f"/proc/{one}/cmdline").read_bytes()]
        post(served, "/api/train", b"{}", key)
        end_s = time.monotonic() + 60
        while not (trainings := list(folder.glob("**/train/output.txt"))) and time.monotonic() < end_s:
            time.sleep(0.05)
        assert trainings  # its process has been started
        while Path(f"/proc/{server}/stat").exists() and b") Z " not in Path(f"/proc/{server}/stat").read_bytes():
            assert time.monotonic() < end_s
            os.kill(server, signal.SIGINT)
            time.sleep(0.02)
    for _ in range(40):  # the fork server ends when it finds its server gone
        if not processes_of(folder):
            break
        time.sleep(0.1)
    assert not [one for one in Path("/proc").glob("[0-9]*") if str(folder).encode() in command_of(one)]
    assert not processes_of(folder)
    assert "Traceback" not in capfd.readouterr().err


def command_of(process: Path) -> bytes:
    with suppress(OSError):
        return (process / "cmdline").read_bytes()
    return b""
