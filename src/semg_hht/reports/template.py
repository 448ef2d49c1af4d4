"""Fill the Jinja templates of the reports and the web page. All values are escaped, so names never become markup.

It formats numbers and does not know what they mean.
"""

from __future__ import annotations

import math
from typing import Any

import jinja2

from semg_hht.reports.words import Words, plain_number
from semg_hht.version import __version__


def fill(name: str, words: Words, **values: Any) -> str:
    """Return the template ``name`` filled with ``values``; the same values give the same bytes."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("semg_hht.reports", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {
        "score": _score, "signed": signed, "percent": "{:.0%}".format, "surely": "{:.1%}".format,
        "plain_number": plain_number,
    }  # fmt: skip
    return environment.get_template(name).render(w=words.texts, words=words, version=__version__, **values)


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def signed(value: float) -> str:
    """Format a difference with its sign, as a minus sign and not as a hyphen."""
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def ticks(low: float, high: float, at_most: int = 6) -> list[tuple[str, float]]:
    """Return labels of round numbers from ``low`` to ``high``, with the position of each from 0 to 1."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    rough = (high - low) / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [(f"{n * step:g}", (n * step - low) / (high - low)) for n in numbers]
