"""`semg-hht train` as a script; `python train.py --help` lists its options."""

from semg_hht.cli.commands.train import train
from semg_hht.cli.main import script

if __name__ == "__main__":
    script(train, "train.py", recipe="plain")  # as the original README trains; semg-hht train chooses
