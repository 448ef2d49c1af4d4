"""The Hilbert-Huang transform on arrays. Imports nothing of ours outside this folder."""

from semg_hht.hht.emd import emd
from semg_hht.hht.hilbert import analytic_signal, instantaneous
from semg_hht.hht.spectrum import HilbertSpectrum, SpectrumConfig, hilbert_spectrum

__all__ = ["HilbertSpectrum", "SpectrumConfig", "analytic_signal", "emd", "hilbert_spectrum", "instantaneous"]
