"""Join the lines of a Chinese paragraph when MkDocs builds a page: a browser would show each line break as a space.

No plug-in of MkDocs does this. Code blocks and tables stay as they are.
"""

from __future__ import annotations

import re

CHINESE = r"\u3400-\u9fff、。“”，：；？！（）"
# A line break between a Chinese character or mark and whatever is not an English word or a new block.
BROKEN = re.compile(rf"([{CHINESE}])\n *(?=[^\W\d_a-zA-Z]|[“（]|`|\*\*|\[)")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Called by MkDocs with every page; a page without Chinese stays as it is."""
    parts = re.split(r"(^```.*?^```$|\n\n+)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else BROKEN.sub(r"\1", part) for part in parts)
