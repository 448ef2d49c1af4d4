"""Files to practise with, simulated; `python generate_sample_data.py --help` lists the options."""

from semg_hht.cli import script
from semg_hht.commands.sample_data import sample_data

if __name__ == "__main__":
    script(sample_data, "generate_sample_data.py")
