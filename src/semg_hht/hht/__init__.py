"""The Hilbert-Huang transform on arrays. It imports no other package of this project."""

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
from semg_hht.hht.stopping import StoppingRule, stopping_rule

__all__ = [
    "DECOMPOSITIONS",
    "ENSEMBLES",
    "HilbertSpectrum",
    "SpectrumConfig",
    "StoppingRule",
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
    "stopping_rule",
    "upstream_ceemdan",
]
