"""What every reader of the page needs: names, contrast and focus order, and axe-core, wide, narrow, light and dark."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from page_browser import drawn, set_width, until, value

# Width in CSS pixels, language and colour scheme.
LOOKS = ((1280, "en", "light"), (390, "zh", "dark"), (320, "en", "light"))

# What every reader needs, checked without a library: a name for each control, and contrast of AA.
UNNAMED = """[...document.querySelectorAll('button,input,select,[role=application],progress,meter')]
.filter(e => e.checkVisibility({visibilityProperty: true}) && e.id != 'chooser')
.filter(e => !(e.ariaLabel || e.textContent.trim() && e.matches('button') || e.labels && e.labels.length))
.map(e => e.outerHTML)"""
FAINT = """(() => {
const curve = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = c => { const [r, g, b] = c.map(v => curve(v / 255));
  return .2126 * r + .7152 * g + .0722 * b; };
const parse = s => s.match(/[\\d.]+/g).map(Number);
const back = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c.length == 3 || c[3] == 1) return c.slice(0, 3); } return [255, 255, 255]; };
return [...document.querySelectorAll('main *, header *, aside *')]
.filter(e => e.checkVisibility() && !e.closest('svg,:disabled,#overlay,.u-wrap') &&
  [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
.map(e => { const a = light(parse(getComputedStyle(e).color).slice(0, 3)), b = light(back(e));
  return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.textContent.trim().slice(0, 40)]; })
.filter(([ratio]) => ratio < 4.5); })()"""
RUN_AXE = """const done = arguments[0];
axe.run(document, {resultTypes: ['violations'], rules: {'target-size': {enabled: true}}}).then(
  found => done(found.violations.map(v => [v.id, ...v.nodes.map(n => `${n.target}: ${n.html.slice(0, 160)}`)])),
  error => done([String(error)]))"""


def axe_core() -> str:
    """The script of axe-core, from the package that holds it; nothing of the package is imported."""
    found = find_spec("selenium_axe_python")
    assert found is not None and found.submodule_search_locations, "no axe-core: pip install 'semg-hht[dev]'"
    return (Path(found.submodule_search_locations[0]) / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def set_scheme(browser: Any, scheme: str) -> None:
    """``scheme`` without movements of the page; empty: what the browser has."""
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features if scheme else []})


def set_language(browser: Any, language: str) -> None:
    if value(browser, "document.querySelector('#language').value") != language:
        select = "const s = document.querySelector('#language'); s.value = arguments[0]"
        browser.execute_script(f"{select}; s.dispatchEvent(new Event('change'))", language)
    until(browser, f"document.documentElement.lang.startsWith({language!r})")


def check(browser: Any, view: str) -> None:
    """What the page shows now has no fault in any language, width and colour scheme."""
    browser.execute_script("document.querySelectorAll('main details').forEach(fold => fold.open = true)")
    for width, language, scheme in LOOKS:
        set_width(browser, width)
        set_language(browser, language)
        set_scheme(browser, scheme)
        drawn(browser)
        shown = f"{view}, {width} px, {language}, {scheme}"
        assert value(browser, UNNAMED) == [], shown
        assert value(browser, FAINT) == [], shown
        assert value(browser, "[...document.querySelectorAll('[tabindex]')].filter(e => e.tabIndex > 0).length") == 0
        assert value(browser, "document.querySelector('[aria-live]').getAttribute('role')") == "status"
        assert value(browser, "document.documentElement.scrollWidth") == width, shown
        assert browser.execute_async_script(RUN_AXE) == [], shown
    set_width(browser, 1280)
    set_language(browser, "en")
