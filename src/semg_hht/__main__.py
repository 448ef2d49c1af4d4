"""The program `semg-hht`, also as ``python -m semg_hht``."""

import signal
import sys


def start() -> None:
    """Run the command line. Ctrl-C prints no traceback, also while the program loads and after its work is done."""
    try:
        from semg_hht.cli.main import main

        main()
    except KeyboardInterrupt:
        sys.stderr.write("stopped: no half-written file is left\n")
        raise SystemExit(128 + signal.SIGINT) from None
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # only processes and threads are left to end


if __name__ == "__main__":
    start()
