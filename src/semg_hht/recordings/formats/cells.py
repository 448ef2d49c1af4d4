"""Split lines of text into cells and numbers: separators, decimal commas, quotes, and the line where the samples begin.

It works on lines and does not know files, headers or time columns.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, takewhile

MAX_PREAMBLE = 10_000  # lines that are searched for the first sample
N_PROBED = 8  # consecutive lines that must look like samples before the first of them counts as one
_SHEET_ERRORS = ("#n/a", "#num!", "#value!", "#div/0!", "#ref!", "#name?", "#null!")
MISSING = frozenset({"", "nan", "n/a", "na", "null", "none", "missing", "-", "--", "?", *_SHEET_ERRORS})
# Comments stand above and between samples, and at the end of their lines (LabChart). Errors of a spreadsheet differ.
_COMMENT = re.compile(rf"#(?!{'|'.join(re.escape(error[1:]) for error in _SHEET_ERRORS)})", re.IGNORECASE)
_STAMP = re.compile(
    r"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T]+)?(?:(\d{1,2}):)?(\d{1,2}):(\d{1,2}(?:[.,:]\d+)?)(?:Z|[+-]\d\d:?\d\d)?"
)


@dataclass(frozen=True)
class Dialect:
    """How a line is split into cells.

    separator : a character; a space means white space of any length, ``", "`` means white space and commas.
    decimal : ``.`` or ``,``.
    """

    separator: str
    decimal: str = "."

    def cells(self, line: str) -> list[str]:
        """The cells of a line, without quotes and surrounding white space; numbers get a decimal point."""
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
        """The cells of a line without the comment at its end."""
        match = _COMMENT.search(line) if "#" in line else None
        if match is None:
            return self.cells(line)
        line = line[: match.start()].rstrip(" ")
        return self.cells(line.removesuffix(self.separator) if self.separator.strip(" ") else line)

    def for_loadtxt(self, lines: list[str], trailing: bool) -> tuple[list[str], str | None] | None:
        """The lines in a form that ``numpy.loadtxt`` reads, and its delimiter; None if there is none."""
        if self.separator == self.decimal:
            return None
        if trailing:
            lines = [line.rstrip(" \n").removesuffix(self.separator) for line in lines]
        if self.decimal == ",":
            lines = [line.replace(",", ".") for line in lines]
        if self.separator == ", ":
            lines = [line.replace(",", " ") for line in lines]
        return lines, self.separator.strip(" ,") or ("," if self.separator == "," else None)


# Earlier dialects are preferred: a comma is a separator if it can be one.
_DIALECTS = (Dialect("\t"), Dialect(";"), Dialect(","), Dialect("\t", ","), Dialect(";", ","), Dialect(" "),
             Dialect(" ", ","), Dialect(", "), Dialect(",", ","), Dialect("|"))  # fmt: skip


def is_comment(line: str) -> bool:
    text = line.lstrip()
    return text.startswith(("%", "//")) or (text.startswith("#") and _COMMENT.match(text) is not None)


def is_content(line: str) -> bool:
    return not line.isspace() and line != "" and not is_comment(line)


def parse_number(cell: str) -> float | None:
    """NaN for a missing sample; None for text that is not a number."""
    if cell.lower() in MISSING:
        return float("nan")
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def seconds_of_day(cell: str) -> float | None:
    """The time of day in ``2024-01-02 10:00:00.001``, ``10:00:00.001`` or ``00:01.500`` (minutes); None for others."""
    match = _STAMP.fullmatch(cell.strip())
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(re.sub("[,:]", ".", seconds))


def is_sample(cells: list[str]) -> bool:
    """Whether every cell is a number, a missing sample or a time stamp, and at least one is a number."""
    values = [parse_number(cell) for cell in cells]
    return all(value is not None or seconds_of_day(cell) is not None for value, cell in zip(values, cells, strict=True)
               ) and any(value is not None and value == value for value in values)  # fmt: skip


def find_samples(lines: list[str]) -> tuple[Dialect, int, int] | None:
    """(dialect, index of the first line that is a sample, cells of such a line); None if no line is a sample.

    The lines below it must have the same form, so that a number in a preamble does not count as a sample.
    """
    rest = (i for i, line in enumerate(lines) if is_content(line))
    rejected: set[tuple[Dialect, int]] = set()
    content: list[int] = []  # the start of ``rest``, as far as it was needed: most files begin with samples

    def exists(at: int) -> bool:
        content.extend(islice(rest, max(at + 1 - len(content), 0)))
        return at < len(content)

    @lru_cache(maxsize=4 * N_PROBED * len(_DIALECTS))
    def width(at: int, dialect: Dialect) -> int:  # 0: not a sample
        cells = dialect.samples(lines[content[at]])
        if dialect.decimal == "," and len(cells) == 1 and width(at, Dialect(",")) > 1:
            return 0  # "1,2" may be two cells
        return len(cells) if is_sample(cells) else 0

    def is_first_sample(at: int, dialect: Dialect) -> bool:
        n, below = width(at, dialect), [i for i in range(at + 1, at + N_PROBED) if exists(i)]
        if not n or (dialect, n) in rejected or any(width(i, dialect) != n for i in below):
            return False
        # Samples of another width above would be an error to report; single numbers may belong to a preamble.
        others = {0, n, 1} if len(below) == N_PROBED - 1 else {0, n}
        if any(width(i, dialect) not in others for i in range(at)):
            rejected.add((dialect, n))  # the lines above stay the same for all later lines
        return (dialect, n) not in rejected

    def is_any_sample(at: int, dialect: Dialect) -> bool:
        return width(at, dialect) > 0

    def result(at: int, dialect: Dialect) -> tuple[Dialect, int, int]:
        # A sample further up is the first one, and the lines in between are an error that the caller reports.
        first, n = next(i for i in range(at + 1) if width(i, dialect) == width(at, dialect)), width(at, dialect)
        return _with_decimal(dialect, lines[content[first] :]) if n > 1 else dialect, content[first], n

    # The second test accepts samples that differ in width, so that the caller can report them.
    for accepts in (is_first_sample, is_any_sample):
        for at in takewhile(exists, range(MAX_PREAMBLE)):
            single = []
            for dialect in (dialect for dialect in _DIALECTS if accepts(at, dialect)):
                if width(at, dialect) > 1:
                    return result(at, dialect)
                single.append(dialect)
            if single:
                return result(at, single[0])
    return None


def _with_decimal(dialect: Dialect, samples: list[str]) -> Dialect:
    """The dialect, with a decimal comma if only whole numbers precede the first comma."""
    at = next((i for i, line in enumerate(samples) if "," in line and is_content(line)), None)
    if at is None or "," in (dialect.separator, dialect.decimal):
        return dialect
    comma = Dialect(dialect.separator, ",")
    if is_sample(dialect.samples(samples[at])) or not is_sample(comma.samples(samples[at])):
        return dialect
    above = (cell for line in samples[: at + 1] if is_content(line) for cell in dialect.samples(line))
    return dialect if any("." in cell and parse_number(cell) is not None for cell in above) else comma
