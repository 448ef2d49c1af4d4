"""Install a distribution without extras in a new environment and try the commands that need none.

Usage: python .ci/try_wheel.py FOLDER, with the Python to try. The folder holds wheels, of which pip takes one that
fits, or a source distribution. Nothing of the repository is imported.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def main(distributions: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        venv.create(work / "environment", with_pip=True)
        programs = work / "environment" / ("Scripts" if sys.platform == "win32" else "bin")
        python = str(programs / "python")

        def run(*command: str, fails: bool = False) -> str:
            sys.stdout.write(f"$ {' '.join(command)}\n")
            done = subprocess.run(command, cwd=work, capture_output=True, text=True, encoding="utf-8", check=False)
            sys.stdout.write(done.stdout + done.stderr)
            if (done.returncode != 0) is not fails:
                sys.exit(f"exit status {done.returncode}; expected {'an error' if fails else '0'}")
            return done.stdout + done.stderr

        # The dependencies come from the index, the package itself only from the folder.
        files = sorted(distributions.glob("*.whl")) or sorted(distributions.glob("*.tar.gz"))
        name = "semg-hht" if files[0].suffix == ".whl" else str(files[0].resolve())
        run(python, "-m", "pip", "install", "--quiet", "--find-links", str(distributions.resolve()), name)
        run(python, "-c", "from semg_hht.hht import _kernel; print(_kernel.builds())")
        semg_hht = str(programs / "semg-hht")
        recordings = run(python, "-c", "from semg_hht import samples; print(samples.RECORDINGS)").strip()
        run(semg_hht, "--version")
        run(semg_hht, "segment", recordings, "--out", "reps.csv")
        run(semg_hht, "features", "reps.csv", "--out", "features.csv")
        run(semg_hht, "prepare", "reps.csv", "--out", "prepared")
        run(semg_hht, "predict", "--input", recordings, "--output", "grips.json")
        said = run(semg_hht, "train", "--data_dir", "prepared/hht_matrices", fails=True)
        if "semg-hht[train]" not in said:
            sys.exit("train does not name the extra that it needs")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
