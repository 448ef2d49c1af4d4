"""The Hilbert-Huang transform on arrays. Imports nothing of ours outside this folder."""

from semg_hht.hht.emd import emd
from semg_hht.hht.ensemble import ceemdan, eemd, iceemdan, masked_sift, upstream_ceemdan
from semg_hht.hht.hilbert import analytic_signal, instantaneous
from semg_hht.hht.spectrum import (
    DECOMPOSITIONS,
    ENSEMBLES,
    HilbertSpectrum,
    SpectrumConfig,
    hilbert_spectra,
    hilbert_spectrum,
    imf_powers,
)

__all__ = [
    "DECOMPOSITIONS",
    "ENSEMBLES",
    "HilbertSpectrum",
    "SpectrumConfig",
    "analytic_signal",
    "ceemdan",
    "eemd",
    "emd",
    "hilbert_spectra",
    "hilbert_spectrum",
    "iceemdan",
    "imf_powers",
    "instantaneous",
    "masked_sift",
    "upstream_ceemdan",
]
