"""Lines of text -> cells -> numbers: separators, decimal commas, quotes, and the line where the samples begin.

Knows nothing of files, headers or time.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, takewhile

MAX_PREAMBLE = 10_000  # lines above the samples that are looked through
N_PROBED = 8  # lines that must look like samples before the first of them is taken for one
MISSING = frozenset({"", "nan", "n/a", "na", "null", "none", "missing", "-", "--", "?", "#n/a", "#num!", "#value!"})
# Above, between and (LabChart) behind samples; but not the errors of a spreadsheet.
_COMMENT = re.compile(r"#(?!N/A|NUM!|VALUE!)", re.IGNORECASE)
_STAMP = re.compile(
    r"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T]+)?(?:(\d{1,2}):)?(\d{1,2}):(\d{1,2}(?:[.,:]\d+)?)(?:Z|[+-]\d\d:?\d\d)?"
)


@dataclass(frozen=True)
class Dialect:
    """How a line is cut into cells.

    separator : a character; a space stands for white space of any length, ``", "`` for white space and commas alike.
    decimal : ``.`` or ``,``.
    """

    separator: str
    decimal: str = "."

    def cells(self, line: str) -> list[str]:
        """The cells of a line, without quotes and the white space around them; numbers with a decimal point."""
        if self.separator == ", ":
            return line.replace(",", " ").split()
        if self.separator == " ":
            cells = [cell.strip('"') for cell in line.split()]
        elif '"' in line:
            cells = next(csv.reader([line.rstrip("\n")], delimiter=self.separator, skipinitialspace=True), [""])
        else:
            cells = line.split(self.separator)
        if self.decimal == ",":
            return [cell.strip().replace(",", ".") for cell in cells]
        return [cell.strip() for cell in cells]

    def samples(self, line: str) -> list[str]:
        """As ``cells``, without a comment behind them."""
        match = _COMMENT.search(line) if "#" in line else None
        if match is None:
            return self.cells(line)
        line = line[: match.start()].rstrip(" ")
        return self.cells(line.removesuffix(self.separator) if self.separator.strip(" ") else line)

    def plain(self, lines: list[str], trailing: bool) -> tuple[list[str], str | None] | None:
        """The lines as ``numpy.loadtxt`` reads them, and its delimiter; None where it can't."""
        if self.separator == self.decimal:
            return None
        if trailing:
            lines = [line.rstrip(" \n").removesuffix(self.separator) for line in lines]
        if self.decimal == ",":
            lines = [line.replace(",", ".") for line in lines]
        if self.separator == ", ":
            lines = [line.replace(",", " ") for line in lines]
        return lines, self.separator.strip(" ,") or ("," if self.separator == "," else None)


# In this order: a comma is a separator where it can be one.
_DIALECTS = (Dialect("\t"), Dialect(";"), Dialect(","), Dialect("\t", ","), Dialect(";", ","), Dialect(" "),
             Dialect(" ", ","), Dialect(", "), Dialect(",", ","))  # fmt: skip


def is_comment(line: str) -> bool:
    text = line.lstrip()
    return text.startswith(("%", "//")) or (text.startswith("#") and _COMMENT.match(text) is not None)


def is_content(line: str) -> bool:
    return not line.isspace() and line != "" and not is_comment(line)


def number(cell: str) -> float | None:
    """NaN for what stands for a missing sample; None for what is no number."""
    if cell.lower() in MISSING:
        return float("nan")
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def seconds_of_day(cell: str) -> float | None:
    """Of ``2024-01-02 10:00:00.001``, ``10:00:00.001`` or ``00:01.500`` (minutes); None for other text."""
    match = _STAMP.fullmatch(cell.strip())
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(re.sub("[,:]", ".", seconds))


def is_sample(cells: list[str]) -> bool:
    """Whether every cell is a number, missing or a time stamp, and one at least is a number."""
    found = [number(cell) for cell in cells]
    return all(value is not None or seconds_of_day(cell) is not None for value, cell in zip(found, cells, strict=True)
               ) and any(value is not None and value == value for value in found)  # fmt: skip


def find_samples(lines: list[str]) -> tuple[Dialect, int, int] | None:
    """(dialect, index of the first line that is a sample, cells of such a line); None where no line is one.

    Rows below must be of the same kind, so that a number in a preamble is not taken for a sample.
    """
    rest = (i for i, line in enumerate(lines) if is_content(line))
    refused: set[tuple[Dialect, int]] = set()
    content: list[int] = []  # of these, as many as were asked for: most files begin with samples

    def exists(at: int) -> bool:
        content.extend(islice(rest, max(at + 1 - len(content), 0)))
        return at < len(content)

    @lru_cache(maxsize=4 * N_PROBED * len(_DIALECTS))
    def width(at: int, dialect: Dialect) -> int:  # 0: no sample
        cells = dialect.samples(lines[content[at]])
        if dialect.decimal == "," and len(cells) == 1 and width(at, Dialect(",")) > 1:
            return 0  # "1,2" is two cells, or nobody knows
        return len(cells) if is_sample(cells) else 0

    def begins(at: int, dialect: Dialect) -> bool:
        n, below = width(at, dialect), [i for i in range(at + 1, at + N_PROBED) if exists(i)]
        if not n or (dialect, n) in refused or any(width(i, dialect) != n for i in below):
            return False
        # Samples of another width further up must be spoken of; single numbers may be a preamble.
        others = {0, n, 1} if len(below) == N_PROBED - 1 else {0, n}
        if any(width(i, dialect) not in others for i in range(at)):
            refused.add((dialect, n))  # for good: what stands above stays
        return (dialect, n) not in refused

    def may_be(at: int, dialect: Dialect) -> bool:
        return width(at, dialect) > 0

    def place(at: int, dialect: Dialect) -> tuple[Dialect, int, int]:
        # A sample further up belongs to the samples: what stands between is a line that must be spoken of.
        first, n = next(i for i in range(at + 1) if width(i, dialect) == width(at, dialect)), width(at, dialect)
        return _with_decimal(dialect, lines[content[first] :]) if n > 1 else dialect, content[first], n

    # The second: lines of which each is a sample but no two are alike must be spoken of too.
    for looks_right in (begins, may_be):
        for at in takewhile(exists, range(MAX_PREAMBLE)):
            found = (dialect for dialect in _DIALECTS if looks_right(at, dialect))
            narrow = []
            for dialect in found:
                if width(at, dialect) > 1:
                    return place(at, dialect)
                narrow.append(dialect)
            if narrow:
                return place(at, narrow[0])
    return None


def _with_decimal(dialect: Dialect, samples: list[str]) -> Dialect:
    """With a decimal comma, where nothing but whole numbers stands above the first one."""
    at = next((i for i, line in enumerate(samples) if "," in line and is_content(line)), None)
    if at is None or "," in (dialect.separator, dialect.decimal):
        return dialect
    comma = Dialect(dialect.separator, ",")
    if is_sample(dialect.samples(samples[at])) or not is_sample(comma.samples(samples[at])):
        return dialect
    above = (cell for line in samples[: at + 1] if is_content(line) for cell in dialect.samples(line))
    return dialect if any("." in cell and number(cell) is not None for cell in above) else comma
