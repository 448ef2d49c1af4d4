"""Files to practise with, simulated; `python generate_sample_data.py --help` lists the options."""

from semg_hht.cli import sample_data, script

if __name__ == "__main__":
    script(sample_data, "generate_sample_data.py")
