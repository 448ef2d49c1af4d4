"""From one recording to a page: a trained run finds its repetitions, answers for each and writes a session card.

python examples/recording_to_report.py my_run/run curl.csv 1000 card.html
"""

import sys
from pathlib import Path

import semg_hht as sh
from semg_hht.prediction.session import open_session
from semg_hht.reports.card import write_card


def main(run_folder: Path, file: Path, rate_hz: float, page: Path) -> None:
    run = sh.open_run(run_folder)
    session, _ = open_session(run, file, sh.InputOptions(rate_hz=rate_hz, segmentation=sh.SegmentConfig()))
    for part in session.parts:
        answer = part.answers["action_quality"]
        print(f"{part.start_s:6.2f} to {part.stop_s:6.2f} s: {answer.prediction} ({answer.confidence:.2f})")
    write_card(session, page)
    print(f"the card: {page}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
