"""The web page under load and attack: a short form of what benchmarks/app.py measures for minutes."""

from __future__ import annotations

import importlib
import platform
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from page_builders import N_SAMPLES

pytest.importorskip("gradio", reason="the web page needs gradio")
MAX_MB = 4
N_VISITS = 12


def test_visitors_are_served_during_attacks_and_their_memory_is_released(
    client: Any, simulated_run: Path, long_recording: Path, tmp_path: Path
) -> None:
    attacks = importlib.import_module("attacks")  # of the benchmarks, like the client
    folder = tmp_path / "t"
    folder.mkdir()
    port = client.free_port()
    server = client.started(
        port, "--checkpoint", str(simulated_run), "--max_upload_mb", str(MAX_MB), TMPDIR=str(folder)
    )
    try:
        address = f"http://127.0.0.1:{port}"
        target = attacks.Target(address, tmp_path, most=3_000_000 * MAX_MB, patience_s=2.0)
        target.arm(*(make for make in attacks.BOMBS if make.__name__ not in ("_npz_bomb", "_mat_bomb", "_wide_csv")))
        tally = client.Tally()
        tally.visit(address, long_recording, None)

        def attack(kind: Any) -> None:
            tally.attack(target, random.Random(0), kind)

        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(attack, kind) for kind in dict.fromkeys(attacks.ATTACKS)]
            running += [pool.submit(tally.visit, address, long_recording, None, target) for _ in range(4)]
            for future in running:
                future.result()
            visit_all = partial(pool.map, lambda _: tally.visit(address, long_recording, None))
            list(visit_all(range(8)))  # the heap grows to what so many visitors need at once
            before = client.megabytes(server.pid)
            list(visit_all(range(N_VISITS)))
        grown = client.megabytes(server.pid) - before
        assert (tally.errors, tally.breaches) == ([], [])
        assert len(tally.waited) == 5 + 8 + N_VISITS
        assert len(tally.answers) == 1
        if platform.libc_ver()[0] == "glibc":
            assert grown < 0.5 * N_VISITS * N_SAMPLES * 8 / 1e6  # a leak would keep the samples of all recordings
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert list(folder.iterdir()) == []
