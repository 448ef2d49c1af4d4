"""The values that settings can take, for help texts and for callers that check their own input."""

from semg_hht.matrices.transform import CHANNELS, DECOMPOSITIONS
from semg_hht.signals.activity import METHODS
from semg_hht.signals.filters import MainsHz
from semg_hht.signals.sensor_labels import LABELS

__all__ = ["CHANNELS", "DECOMPOSITIONS", "LABELS", "METHODS", "MainsHz"]
