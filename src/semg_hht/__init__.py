"""Surface EMG of exercise repetitions in; action quality and recorded gender out."""

from semg_hht.version import __version__

__all__ = ["__version__"]
