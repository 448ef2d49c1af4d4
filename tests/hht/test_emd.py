"""Empirical mode decomposition: what must hold for any signal, and that the compiled kernel is the NumPy one."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.hht import emd, kernel
from semg_hht.hht.sifting import find_extrema
from semg_hht.hht.stopping import RULES

SELF_RULES = [name for name in RULES if name not in ("pyemd", "emd", "upstream")]  # with our definition of an extremum


def noise(n_samples, seed=0, smooth=1):
    white = np.random.default_rng(seed).standard_normal(n_samples + smooth - 1)
    return np.convolve(white, np.ones(smooth) / smooth, mode="valid")


def on_numpy(function, *arguments, **options):
    """The same call without the compiled kernel."""
    compiled, kernel.compiled, told, kernel._told = kernel.compiled, None, kernel._told, True
    try:
        return function(*arguments, **options)
    finally:
        kernel.compiled, kernel._told = compiled, told


@pytest.fixture(params=kernel.compiled.builds() if kernel.compiled else ["numpy"])
def build(request):
    """Each build of the kernel that this processor can run."""
    if request.param == "numpy":
        pytest.skip("the kernel was not built")
    kernel.compiled.choose(request.param)
    yield request.param
    kernel.compiled.choose(kernel.compiled.builds()[-1])


signals = st.builds(
    lambda seed, n, smooth, scale: scale * noise(n, seed, smooth),
    st.integers(0, 2**32 - 1),
    st.integers(8, 400),
    st.sampled_from([1, 1, 2, 5, 20]),
    st.sampled_from([1.0, 1e-6, 1e5]),
)
counts = hnp.arrays(np.int16, st.integers(8, 200), elements=st.integers(-4, 4)).filter(lambda x: np.ptp(x) > 0)


class TestAxioms:
    @given(st.one_of(signals, counts), st.sampled_from(sorted(RULES)))
    @settings(max_examples=150, deadline=None)
    def test_complete(self, x, stopping):
        rows = emd(x, stopping=stopping)
        assert_allclose(rows.sum(axis=0), x, rtol=0, atol=1e-14 * np.abs(rows).max() * len(rows))

    @given(signals, st.integers(-12, 12), st.sampled_from(SELF_RULES))
    @settings(max_examples=60, deadline=None)
    def test_scales_exactly_with_powers_of_two(self, x, exponent, stopping):
        assert_array_equal(emd(x * 2.0**exponent, stopping=stopping), emd(x, stopping=stopping) * 2.0**exponent)

    def test_millivolts_and_volts_sift_alike(self):
        x = noise(1000)
        assert_allclose(emd(x / 1000) * 1000, emd(x), rtol=0, atol=1e-12)

    def test_turned_over(self):
        x = noise(500, 1)
        assert_allclose(emd(-x), -emd(x), rtol=0, atol=1e-12)

    @given(signals)
    @settings(max_examples=40, deadline=None)
    def test_offset_goes_to_the_residue_only(self, x):
        """Under a rule that looks at shape. Rules that compare energies may take one more sift."""
        plain = emd(x, max_imfs=2, stopping="fixed", n_sifts=3)
        lifted = emd(x + np.abs(x).max(), max_imfs=2, stopping="fixed", n_sifts=3)
        assert_allclose(lifted[:-1], plain[:-1], rtol=0, atol=1e-9 * np.abs(x).max())

    def test_an_imf_is_left_alone(self):
        time = np.arange(2000) / 1000
        tone = np.sin(2 * np.pi * 40 * time)
        assert_allclose(emd(tone, max_imfs=1)[0], tone, rtol=0, atol=2e-3)

    @given(signals)
    @settings(max_examples=60, deadline=None)
    def test_time_reversal(self, x):
        assume(x.size >= 30)
        assert_allclose(emd(x[::-1], max_imfs=3), emd(x, max_imfs=3)[:, ::-1], rtol=0, atol=1e-9 * np.abs(x).max())

    def test_time_reversal_of_counts(self):
        x = np.round(noise(300, 3, 4) * 6)
        assert_allclose(emd(x[::-1], max_imfs=3), emd(x, max_imfs=3)[:, ::-1], rtol=0, atol=1e-9)

    def test_threads_and_batches_change_nothing(self):
        x = np.stack([noise(300, seed, 1 + seed % 4) for seed in range(9)])
        one = emd(x, n_threads=1)
        assert_array_equal(emd(x, n_threads=4), one)
        for row, signal in zip(one, x, strict=True):
            alone = emd(signal)
            assert_array_equal(row[: len(alone) - 1], alone[:-1])
            assert_array_equal(row[-1], alone[-1])
            assert not np.any(row[len(alone) - 1 : -1])


class TestPlateaus:
    def test_extremum_of_a_plateau_is_its_midpoint(self):
        t_max, t_min = find_extrema(np.array([0.0, 2, 2, 1, 1, 1, 3, 0, 0, 5]))
        assert_array_equal(t_max, [1.5, 6])
        assert_array_equal(t_min, [4, 7.5])

    def test_plateaus_at_the_ends_are_none(self):
        t_max, t_min = find_extrema(np.array([1.0, 1, 0, 2, 2]))
        assert_array_equal(t_max, [])
        assert_array_equal(t_min, [2])


class TestCompiledIsNumpy:
    @pytest.mark.parametrize("stopping", sorted(RULES))
    @pytest.mark.parametrize("seed", range(12))
    def test_same_rows_and_sifts(self, build, stopping, seed):
        x = noise(int(20 + 61 * seed), seed, 1 + seed % 5) * [1, 40][seed % 2]
        if seed % 3 == 2:
            x = np.round(x * 8)
        if stopping == "upstream" and seed % 3 == 2:
            pytest.skip("equal neighbours come and go with the last digit under this rule")
        x = x[None]
        rows, n_imfs, n_sifts = kernel.decompose(x, RULES[stopping])
        rows_numpy, n_imfs_numpy, n_sifts_numpy = on_numpy(kernel.decompose, x, RULES[stopping])
        n = n_imfs[0]
        assert n == n_imfs_numpy[0]
        assert_array_equal(n_sifts[0, :n], n_sifts_numpy[0, :n])
        assert_allclose(rows[0, : n + 1], rows_numpy[0, : n + 1], rtol=0, atol=1e-10 * np.abs(x).max())

    @given(x=signals)
    @settings(max_examples=150, deadline=None)
    def test_default_rule_on_any_signal(self, x):
        assert_allclose(emd(x, max_imfs=4), on_numpy(emd, x, max_imfs=4), rtol=0, atol=1e-10 * np.abs(x).max())

    @given(x=counts)
    @settings(max_examples=150, deadline=None)
    def test_one_sift_of_any_counts(self, x):
        """One sift only: counts in a symmetric pattern tie after it, and the last digit then places an extremum."""
        got, expected = emd(x, max_imfs=1, max_sifts=1), on_numpy(emd, x, max_imfs=1, max_sifts=1)
        assert_allclose(got, expected, rtol=0, atol=1e-10 * np.abs(x).max())

    @pytest.mark.parametrize("n_samples", [8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 1000])
    def test_lengths_about_the_vector_width(self, build, n_samples):
        for x in (np.arange(n_samples) % 2, np.arange(n_samples) % 3 % 2, noise(n_samples), np.arange(n_samples)):
            assert_allclose(emd(x), on_numpy(emd, x), rtol=0, atol=1e-10 * np.abs(x).max())

    @pytest.mark.parametrize("value", [1e-300, 1e300, 5e-324, 1.7e308])
    @pytest.mark.parametrize("stopping", sorted(RULES))
    def test_extreme_values_end(self, build, stopping, value):
        x = np.sign(noise(200)) * value
        x[::7] = 0
        assert emd(x, stopping=stopping).shape[1] == 200

    def test_says_so_once_where_it_was_not_built(self, monkeypatch, caplog):
        monkeypatch.setattr(kernel, "compiled", None)
        monkeypatch.setattr(kernel, "_told", False)
        with caplog.at_level(logging.WARNING):
            emd(noise(30))
            emd(noise(30))
        assert caplog.text.count("was not built") == 1

    def test_unknown_build(self):
        if kernel.compiled is None:
            pytest.skip("the kernel was not built")
        with pytest.raises(ValueError, match="no build abacus for this processor"):
            kernel.compiled.choose("abacus")

    def test_short_buffer(self):
        if kernel.compiled is None:
            pytest.skip("the kernel was not built")
        with pytest.raises(ValueError, match="a buffer is shorter than its stated shape"):
            kernel.compiled.normals(np.zeros(3), 4, 0)
        with pytest.raises(ValueError, match="settings or shape out of range"):
            kernel.compiled.decompose(*[np.zeros(9)] * 4, 1, 3, 0, 0.1, 1, 1, 1)
        with pytest.raises(ValueError, match="outside the noise"):
            start, scale, options = np.array([3]), np.ones(1), RULES["sd"]
            kernel.ensemble_mean(np.zeros(9), np.zeros(9), scale, options, local_mean=True, starts=start)
        with pytest.raises(ValueError, match="shape out of range"):
            kernel.compiled.spectrum(np.zeros(9), 1, 1, 1.0, 0.0, 1.0, *[np.zeros(9)] * 4, 0)


class TestInput:
    @pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int64, np.float16, np.float32, bool])
    def test_any_real_dtype(self, dtype):
        x = (20 + np.round(noise(200, 5) * 5)).astype(dtype) if dtype is not bool else noise(200, 5) > 0
        assert_array_equal(emd(x), emd(x.astype(float)))

    def test_any_memory_order(self):
        x = np.asfortranarray(noise(600).reshape(3, 200))
        assert_array_equal(emd(x[:, ::-1]), emd(np.ascontiguousarray(x[:, ::-1])))

    def test_input_is_not_changed(self):
        x = noise(100)
        before = x.copy()
        emd(x)
        assert_array_equal(x, before)

    def test_trend_has_no_imf(self):
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
    def test_refused(self, x, message):
        with pytest.raises(ValueError, match=message):
            emd(x)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"stopping": "later"}, "stopping rule 'later' is unknown; expected one of sd, "),
            ({"sd_threshold": 0}, "sd_threshold must be above 0"),
            ({"max_imfs": 0}, "max_imfs must be from 1"),
            ({"n_sifts": 10**9}, "n_sifts must be from 1"),
        ],
    )
    def test_options_refused(self, options, message):
        with pytest.raises(ValueError, match=message):
            emd(noise(30), **options)

    def test_options_reach_the_rule(self):
        x = noise(500)
        rows, n_imfs, n_sifts = kernel.decompose(x[None], RULES["fixed"])
        assert_array_equal(n_sifts[0, : n_imfs[0] - 1], 10)
        assert len(emd(x, max_imfs=2)) == 3
        assert np.any(emd(x, sd_threshold=0.01)[0] != emd(x)[0])


@pytest.mark.parametrize("n", [24, 60, 100, 400])
@pytest.mark.parametrize("rule", ["sd", "upstream"])
def test_one_dense_and_one_sparse_envelope(monkeypatch: pytest.MonkeyPatch, rule: str, n: int) -> None:
    """A rising staircase with two drops: many maxima, two minima, so one spline is solved without its companion."""
    steps = np.zeros(n)
    steps[::2] = np.random.default_rng(0).uniform(1, 5, n // 2)
    steps[n // 3 // 2 * 2], steps[2 * n // 3 // 2 * 2] = -40, -50
    x = np.cumsum(steps)
    once = replace(RULES[rule], max_imfs=1, max_sifts=1)
    compiled, *_ = kernel.decompose(x[None], once)
    monkeypatch.setattr(kernel, "compiled", None)
    expected, *_ = kernel.decompose(x[None], once)
    assert_allclose(compiled, expected, rtol=0, atol=1e-12 * np.ptp(x))
