"""`semg-hht train` under the name of the project's first script; `python train.py --help` lists its options."""

from semg_hht.cli.commands.train import train
from semg_hht.cli.main import script

if __name__ == "__main__":
    script(train, "train.py")
