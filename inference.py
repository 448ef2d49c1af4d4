"""`semg-hht predict` as a script; `python inference.py --help` lists its options."""

from semg_hht.cli.commands.predict import predict
from semg_hht.cli.main import script

if __name__ == "__main__":
    script(predict, "inference.py")
