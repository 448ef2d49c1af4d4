"""Chinese text as Chinese readers expect it: full-width commas, colons and brackets; no space where a line was broken.

    python docs/chinese.py FILE ...    writes the marks into the files

MkDocs does both with every page it builds (mkdocs.yml names this file under hooks). Code, links and English stay.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

WIDE = {",": "，", ":": "：", ";": "；", "?": "？", "!": "！", "(": "（", ")": "）"}
CHINESE = re.compile(r"[\u3400-\u9fff、。“”]")
KEPT = re.compile(
    r"`[^`]*`|!\[|\]\([^)\s]*\)|https?://\S+"  # code, images, targets of links, addresses
    r"|<!--.*?-->|^\|[-|: ]+\|$"  # comments, lines under the head of a table
    r"|(?<![\d.])\d{1,3}(?:,\d{3})+(?!\d)|\d:\d",  # thousands, times
    re.MULTILINE,
)


def with_chinese_marks(text: str) -> str:
    """The same text with full-width marks in every Chinese paragraph; fenced code is left alone."""
    return _in_prose(text, _marked)


def _in_prose(text: str, change: Callable[[str], str]) -> str:
    parts = re.split(r"(^```.*?^```$|\n\n+)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(change(part) if CHINESE.search(part) and not part.startswith("```") else part for part in parts)


def _marked(text: str) -> str:
    kept: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        kept.append(found.group())
        return f"\0{len(kept) - 1}\1"

    chars = list(KEPT.sub(put_away, text))
    opened: list[int] = []
    for i, char in enumerate(chars):
        before = "".join(chars[:i]).rstrip("* \n")[-1:]
        if char == "(":
            opened.append(i)
        elif char == ")" and opened:
            start = opened.pop()
            around = "".join(chars[:start]).rstrip("* \n")[-1:] + "".join(chars[start : i + 2])
            if CHINESE.search(around):
                chars[start], chars[i] = WIDE["("], WIDE[")"]
        elif char in ",:;?!" and (CHINESE.search(before) or chars[i + 1 : i + 2] != [" "]):
            chars[i] = WIDE[char]
    marked = re.sub(r"([，：；？！（）]) +(?!\|)| +([，：；？！（）])(?<!\| [（])", r"\1\2", "".join(chars))
    return re.sub("\0(\\d+)\1", lambda found: kept[int(found.group(1))], marked)


BROKEN = re.compile(rf"({CHINESE.pattern}|[{''.join(WIDE.values())}])\n *(?=[^\W\d_a-zA-Z]|[“（]|`|\*\*|\[)")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Called by MkDocs with every page; one without Chinese comes back as it was."""
    return _in_prose(markdown, lambda part: BROKEN.sub(r"\1", _marked(part)))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(with_chinese_marks(path.read_text(encoding="utf-8")), encoding="utf-8")
