"""``python -m semg_hht``."""

from semg_hht.cli.main import main

main()
