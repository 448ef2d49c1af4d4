"""`semg-hht train` under the name of the project's first script; `python train.py --help` lists its options."""

from semg_hht.cli import script
from semg_hht.commands.train import train

if __name__ == "__main__":
    script(train, "train.py")
