"""Empirical mode decomposition: published axioms (Quinn et al. 2021, doi 10.21105/joss.02977), input, references."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hht_signals import N_REAL, N_SIMULATED, probes, semg_like, simulated
from semg_hht.hht import emd, stopping_rule
from semg_hht.hht.kernel import decompose
from semg_hht.hht.stopping import RULES
from signal_builders import counts, signals, smooth_noise

OWN_EXTREMA = [name for name in RULES if name not in ("pyemd", "emd", "upstream")]  # with our definition of an extremum


class TestAxioms:
    @given(st.one_of(signals, counts), st.sampled_from(sorted(RULES)))
    @settings(max_examples=150, deadline=None)
    def test_rows_add_up_to_the_signal(self, x, stopping):
        rows = emd(x, stopping=stopping)
        assert_allclose(rows.sum(axis=0), x, rtol=0, atol=1e-14 * np.abs(rows).max() * len(rows))

    @given(signals, st.integers(-12, 12), st.sampled_from(OWN_EXTREMA))
    @settings(max_examples=60, deadline=None)
    def test_scales_exactly_with_powers_of_two(self, x, exponent, stopping):
        assert_array_equal(emd(x * 2.0**exponent, stopping=stopping), emd(x, stopping=stopping) * 2.0**exponent)

    @pytest.mark.parametrize(("n_samples", "seed", "factor"), [(1000, 0, 1e-3), (500, 1, -1)])
    def test_does_not_depend_on_unit_or_sign(self, n_samples, seed, factor):
        x = smooth_noise(n_samples, seed)
        assert_allclose(emd(x * factor) / factor, emd(x), rtol=0, atol=1e-12)

    @given(signals)
    @settings(max_examples=40, deadline=None)
    def test_offset_changes_only_the_residue(self, x):
        """For a rule that does not compare energies. Rules that do may need one more sift."""
        plain = emd(x, max_imfs=2, stopping="fixed", n_sifts=3)
        lifted = emd(x + np.abs(x).max(), max_imfs=2, stopping="fixed", n_sifts=3)
        assert_allclose(lifted[:-1], plain[:-1], rtol=0, atol=1e-9 * np.abs(x).max())

    def test_an_imf_is_its_own_first_imf(self):
        time = np.arange(2000) / 1000
        tone = np.sin(2 * np.pi * 40 * time)
        assert_allclose(emd(tone, max_imfs=1)[0], tone, rtol=0, atol=2e-3)

    @given(signals)
    @settings(max_examples=60, deadline=None)
    def test_time_reversal(self, x):
        assume(x.size >= 30)
        assert_allclose(emd(x[::-1], max_imfs=3), emd(x, max_imfs=3)[:, ::-1], rtol=0, atol=1e-9 * np.abs(x).max())

    def test_time_reversal_of_counts(self):
        x = np.round(smooth_noise(300, 3, 4) * 6)
        assert_allclose(emd(x[::-1], max_imfs=3), emd(x, max_imfs=3)[:, ::-1], rtol=0, atol=1e-9)

    def test_two_tones_are_two_imfs(self):
        time_s = np.arange(2000) / 1000
        fast, slow = np.sin(2 * np.pi * 200 * time_s), np.sin(2 * np.pi * 45 * time_s)
        rows = emd(fast + slow)
        inner = slice(200, -200)
        assert_allclose(rows[0, inner], fast[inner], atol=0.02)
        assert_allclose(rows[1, inner], slow[inner], atol=0.03)

    def test_threads_and_batches_change_nothing(self):
        x = np.stack([smooth_noise(300, seed, 1 + seed % 4) for seed in range(9)])
        batch = emd(x, n_threads=1)
        assert_array_equal(emd(x, n_threads=4), batch)
        for row, signal in zip(batch, x, strict=True):
            alone = emd(signal)
            assert_array_equal(row[: len(alone) - 1], alone[:-1])
            assert_array_equal(row[-1], alone[-1])
            assert not np.any(row[len(alone) - 1 : -1])


class TestInput:
    @pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int64, np.float16, np.float32, bool])
    def test_any_real_dtype(self, dtype):
        noise = smooth_noise(200, 5)
        x = (20 + np.round(noise * 5)).astype(dtype) if dtype is not bool else noise > 0
        assert_array_equal(emd(x), emd(x.astype(float)))

    def test_any_memory_order(self):
        x = np.asfortranarray(smooth_noise(600).reshape(3, 200))
        assert_array_equal(emd(x[:, ::-1]), emd(np.ascontiguousarray(x[:, ::-1])))

    def test_input_is_not_changed(self):
        x = smooth_noise(100)
        before = x.copy()
        emd(x)
        assert_array_equal(x, before)

    def test_a_trend_has_no_imf(self):
        rows = emd(np.arange(20.0))
        assert_array_equal(rows, np.arange(20.0)[None])

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            (np.zeros(8), "must vary"),
            (np.arange(7.0), "at least 8 samples; got 7"),
            ([1, 2, 3, np.nan, 5, 6, 7, np.inf], "2 of 8 samples are NaN or infinite"),
            (np.zeros((2, 2, 9)), "got shape"),
            (np.zeros((0, 9)), "got shape"),
            (np.arange(9) * 1j, "real numbers; got dtype complex128"),
            (list("abcdefghi"), "real numbers; got dtype"),
        ],
    )
    def test_invalid_signals_are_refused(self, x, message):
        with pytest.raises(ValueError, match=message):
            emd(x)

    def test_options_change_the_result(self):
        x = smooth_noise(500)
        assert len(emd(x, max_imfs=2)) == 3
        assert np.any(emd(x, sd_threshold=0.01)[0] != emd(x)[0])

    def test_a_rule_object_has_the_effect_of_its_numbers(self):
        x = smooth_noise(500)
        rule = stopping_rule("sd", sd_threshold=0.01, max_imfs=2)
        assert_array_equal(emd(x, stopping=rule), emd(x, sd_threshold=0.01, max_imfs=2))
        assert_array_equal(emd(x, stopping=rule, max_imfs=1), emd(x, sd_threshold=0.01, max_imfs=1))


class TestReferences:
    """The IMFs of PyEMD equal ours to 1e-10 of the signal after the same number of sifts; so does one sift of emd."""

    def assert_is_pyemd(self, references, name, signal):
        rows, n_imfs, n_sifts = decompose(signal[None], RULES["pyemd"])
        expected = references[f"pyemd/{name}"]
        actual = probes(rows[0, : n_imfs[0] + 1])
        assert actual.shape == expected.shape
        assert_allclose(actual, expected, rtol=0, atol=1e-10 * np.abs(signal).max())
        assert n_sifts[0, : n_imfs[0] + 1].sum() == references[f"pyemd_sifts/{name}"]

    @pytest.mark.parametrize("index", range(N_SIMULATED))
    def test_pyemd(self, references, index):
        self.assert_is_pyemd(references, f"simulated_{index}", simulated(index))

    @pytest.mark.parametrize("index", range(N_REAL))
    def test_pyemd_on_real_recordings(self, references, real_excerpt, index):
        self.assert_is_pyemd(references, f"real_{index}", real_excerpt(index))

    @pytest.mark.parametrize("index", range(12))
    def test_one_sift_of_emd_away_from_the_ends(self, references, index):
        signal = semg_like(600 + 50 * index, 50 + index)
        imf = emd(signal, stopping="fixed", n_sifts=1, max_imfs=1)[0]
        assert_allclose(imf[200:400], references[f"emd_sift/{index}"], rtol=0, atol=1e-10)

    def test_references_are_small_and_many(self):
        assert N_SIMULATED + N_REAL >= 150
        assert (Path(__file__).parents[1] / "references" / "hht_references.npz").stat().st_size < 2_000_000
