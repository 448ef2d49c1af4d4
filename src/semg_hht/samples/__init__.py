"""Real recordings that come with the package, and a small run that was trained on other people of the same study."""

from semg_hht.samples.shipped import MANIFEST, RECORDINGS, RUN, SampleRun, Score, about_run, recordings

__all__ = ["MANIFEST", "RECORDINGS", "RUN", "SampleRun", "Score", "about_run", "recordings"]
