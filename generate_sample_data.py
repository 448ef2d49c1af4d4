"""Simulated files to practise with; `python generate_sample_data.py --help` lists the options."""

from semg_hht.cli.commands.sample_data import sample_data
from semg_hht.cli.main import script

if __name__ == "__main__":
    script(sample_data, "generate_sample_data.py")
