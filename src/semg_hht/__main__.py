"""``python -m semg_hht``."""

from semg_hht.cli import main

main()
