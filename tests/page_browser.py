"""What a test does with the page in a browser: serve and open it, wait for it, press its keys, read what it shows."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# The page as `semg-hht app` serves it, and what makes its practice run smaller: fewer simulated people and epochs.
SERVED = "from semg_hht.cli.main import main; main()"
SMALL_PRACTICE = """import functools, semg_hht.demo as demo
demo.N_REPETITIONS = 1
demo.practice_run = functools.partial(demo.practice_run, size=demo.DemoSize(4, 2))
"""
# Runs before a page: what would wait for seconds waits for a tenth of them.
HURRY = """const wait = window.setTimeout;
window.setTimeout = (work, ms, ...values) => wait(work, ms > 2500 ? ms / 10 : ms, ...values);"""

BANDS = "document.querySelectorAll('#overlay .band').length"
ROWS = "document.querySelectorAll('.repetitions tbody tr:not(.why)').length"
ASKS = "!window.dispatchEvent(new Event('beforeunload', {cancelable: true}))"  # whether leaving the page asks first


@contextmanager
def serving(folder: Path, *flags: str, before: str = "", **environment: str) -> Iterator[str]:
    """The address of a page that a process of its own serves; ``folder`` is for its temporary files, and empty then.

    before : a script that its process runs first.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", before + SERVED, "app", "--cpu", "--port", str(port), *flags]
    environment = os.environ | {"TMPDIR": str(folder)} | environment
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    try:
        served = f"http://127.0.0.1:{port}"
        for _ in range(1000):
            with suppress(OSError), urllib.request.urlopen(f"{served}/", timeout=5):
                break
            time.sleep(0.03)
        yield served
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert list(folder.iterdir()) == []


def run_first(browser: Any, script: str) -> Any:
    """Have each page that this tab opens run a script first; returns what `run_first_no_more` takes."""
    return browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})


def run_first_no_more(browser: Any, added: Any) -> None:
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def set_width(browser: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def value(browser: Any, script: str) -> Any:
    return browser.execute_script(f"return {script}")


def until(browser: Any, script: str, timeout_s: float = 120.0) -> Any:
    """Return the value of a script as soon as it is true. The page itself looks: each question would cost it time."""
    browser.set_script_timeout(timeout_s + 30)
    found, error = browser.execute_async_script(
        f"""const [end, done] = [performance.now() + {1000 * timeout_s}, arguments[0]];
        const look = () => {{
          try {{
            const found = ({script});
            if (found || performance.now() > end) done([found, ""]);
            else setTimeout(look, 20);
          }} catch (error) {{ done([null, String(error)]); }}
        }};
        look();"""
    )
    shown = "" if found else value(browser, "document.body.innerText")
    assert found, f"never true: {script} {error}; the page shows {shown}"
    return found


def spoken(text: str) -> str:
    return f"document.querySelector('#live').textContent.includes({json.dumps(text)})"


def button(text: str, within: str = "body") -> str:
    """A script that finds the shown button whose text begins so."""
    buttons = f"[...document.querySelectorAll({json.dumps(within + ' button')})]"
    return f"{buttons}.find(b => b.checkVisibility() && b.textContent.trim().startsWith({json.dumps(text)}))"


def open_page(browser: Any, address: str, language: str = "en") -> None:
    """A new visit at first sight, as in a new tab."""
    added = run_first(browser, "sessionStorage.clear(); localStorage.clear()")
    browser.get(f"{address}/?lang={language}")
    run_first_no_more(browser, added)
    until(browser, "document.body.classList.contains('ready')")


def open_sample(browser: Any) -> int:
    browser.find_element("css selector", "#open-sample").click()
    return int(until(browser, BANDS))


def choose_files(browser: Any, paths: Iterable[Path]) -> None:
    """Add files, and wait until each was read or refused."""
    browser.find_element("css selector", "#chooser").send_keys("\n".join(map(str, paths)))
    until(browser, "![...document.querySelectorAll('#files progress')].some(bar => bar.checkVisibility())")


def judge(browser: Any) -> str:
    """Take the run of the package and have the shown recording answered; returns the verdict."""
    browser.find_element("css selector", "#verdict .offer button").click()
    until(browser, "document.querySelector('#answer')").click()
    return str(until(browser, "document.querySelector('p.verdict')?.textContent"))


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def press_with(browser: Any, key: str, *held: str) -> None:
    """Press a key while others are held down."""
    from selenium.webdriver import ActionChains

    chain = ActionChains(browser)
    for one in held:
        chain = chain.key_down(one)
    chain = chain.send_keys(key)
    for one in reversed(held):
        chain = chain.key_up(one)
    chain.perform()


def tab_to(browser: Any, selector: str) -> None:
    """Press the tab key until an element has the focus."""
    from selenium.webdriver.common.keys import Keys

    for _ in range(60):
        if value(browser, f"document.activeElement.matches({json.dumps(selector)})"):
            return
        press(browser, Keys.TAB)
    raise AssertionError(f"no tab reaches {selector}")


def times(browser: Any) -> list[str]:
    """The times in the table, in order."""
    found = value(browser, "[...document.querySelectorAll('.repetitions td.time input')].map(i => i.value)")
    return [str(one) for one in found]


def drawn(browser: Any) -> None:
    """Wait until the page has drawn itself anew, its charts too: `watchSize` waits 60 ms, then for the next frame."""
    browser.execute_async_script("const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => done()), 80)")


def settled(browser: Any) -> list[str]:
    """The times after what was changed has reached the server."""
    browser.execute_async_script(
        "const done = arguments[0];"
        "import('/static/store.js').then(({ pending }) => { window.onItsWay = pending; done() })"
    )
    until(browser, "window.onItsWay.size == 0")
    until(browser, "![...document.querySelectorAll('.repetitions td.measure')].some(cell => cell.textContent == '…')")
    return times(browser)
