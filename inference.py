"""`semg-hht predict` under the name of the project's first script; `python inference.py --help` lists its options."""

from semg_hht.cli import script
from semg_hht.commands.predict import predict

if __name__ == "__main__":
    script(predict, "inference.py")
