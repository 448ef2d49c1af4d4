"""The compiled kernel: every build gives the results of the NumPy sift and checks its input."""

import logging
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.hht import emd, kernel
from semg_hht.hht.sifting import extrema_of
from semg_hht.hht.stopping import RULES
from signal_builders import TONES, counts, signals, smooth_noise

needs_kernel = pytest.mark.skipif(kernel.compiled is None, reason="the kernel was not built")


class TestCompiledIsNumpy:
    @pytest.mark.parametrize("stopping", sorted(RULES))
    @pytest.mark.parametrize("seed", range(12))
    def test_same_rows_and_sifts(self, build, on_numpy, stopping, seed):
        x = smooth_noise(int(20 + 61 * seed), seed, 1 + seed % 5) * [1, 40][seed % 2]
        if seed % 3 == 2:
            x = np.round(x * 8)
        if stopping == "upstream" and seed % 3 == 2:
            pytest.skip("rounding decides whether neighbours are equal under this rule")
        x = x[None]
        rows, n_imfs, n_sifts = kernel.decompose(x, RULES[stopping])
        rows_numpy, n_imfs_numpy, n_sifts_numpy = on_numpy(kernel.decompose, x, RULES[stopping])
        n = n_imfs[0]
        assert n == n_imfs_numpy[0]
        assert_array_equal(n_sifts[0, :n], n_sifts_numpy[0, :n])
        assert_allclose(rows[0, : n + 1], rows_numpy[0, : n + 1], rtol=0, atol=1e-10 * np.abs(x).max())

    @given(x=signals)
    @settings(max_examples=150, deadline=None)
    def test_default_rule_on_any_signal(self, on_numpy, x):
        assert_allclose(emd(x, max_imfs=4), on_numpy(emd, x, max_imfs=4), rtol=0, atol=1e-10 * np.abs(x).max())

    @given(x=counts)
    @settings(max_examples=150, deadline=None)
    def test_one_sift_of_any_counts(self, on_numpy, x):
        """One sift only: after it, samples of symmetric patterns are equal except for rounding."""
        compiled, expected = emd(x, max_imfs=1, max_sifts=1), on_numpy(emd, x, max_imfs=1, max_sifts=1)
        assert_allclose(compiled, expected, rtol=0, atol=1e-10 * np.abs(x).max())

    @pytest.mark.parametrize("n_samples", [8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 1000])
    def test_lengths_near_multiples_of_the_vector_width(self, build, on_numpy, n_samples):
        n = np.arange(n_samples)
        for x in (n % 2, n % 3 % 2, smooth_noise(n_samples), n):
            assert_allclose(emd(x), on_numpy(emd, x), rtol=0, atol=1e-10 * np.abs(x).max())

    @pytest.mark.parametrize("n", [24, 60, 100, 400])
    @pytest.mark.parametrize("rule", ["sd", "upstream"])
    def test_one_dense_and_one_sparse_envelope(self, on_numpy, rule, n):
        """A rising staircase with two drops has many maxima and two minima: the two splines are solved separately."""
        steps = np.zeros(n)
        steps[::2] = np.random.default_rng(0).uniform(1, 5, n // 2)
        steps[n // 3 // 2 * 2], steps[2 * n // 3 // 2 * 2] = -40, -50
        x = np.cumsum(steps)
        one_sift = replace(RULES[rule], max_imfs=1, max_sifts=1)
        compiled, *_ = kernel.decompose(x[None], one_sift)
        expected, *_ = on_numpy(kernel.decompose, x[None], one_sift)
        assert_allclose(compiled, expected, rtol=0, atol=1e-12 * np.ptp(x))

    @pytest.mark.parametrize("rule", sorted(RULES))
    def test_first_mode_and_streams(self, build, on_numpy, rule):
        x = np.stack([TONES, np.arange(600.0)])

        def results():
            mode, n_extrema = kernel.first_mode(x[0], RULES[rule])
            streams = kernel.Streams(x, RULES[rule])
            levels = [streams.next().copy() for _ in range(3)]
            return mode, n_extrema, np.array(levels), streams.counts

        (mode, n_extrema, levels, taken), expected = results(), on_numpy(results)
        assert_allclose(mode, expected[0], rtol=0, atol=1e-10)
        if rule in ("pyemd", "s-number"):  # the compiled sift counts the last extrema only for rules that use them
            assert n_extrema == expected[1]
        assert_allclose(levels, expected[2], rtol=0, atol=1e-10)
        assert_array_equal(taken, expected[3])
        assert kernel.first_mode(x[1], RULES[rule])[0] is None
        assert taken[1] == -1

    @pytest.mark.parametrize("rule", sorted(RULES))
    def test_extrema_are_counted_without_a_sift(self, build, on_numpy, rule):
        plateaus = np.round(4 * smooth_noise(900))
        for x in (TONES, TONES[::-1], smooth_noise(65), plateaus, np.arange(9.0)):
            x = np.ascontiguousarray(x)
            expected = sum(t.size for t in extrema_of(x, RULES[rule]))
            assert kernel.count_extrema(x, RULES[rule]) == expected
            assert on_numpy(kernel.count_extrema, x, RULES[rule]) == expected

    @pytest.mark.parametrize("value", [1e-300, 1e300, 5e-324, 1.7e308])
    @pytest.mark.parametrize("stopping", sorted(RULES))
    def test_extreme_values_end(self, build, stopping, value):
        x = np.sign(smooth_noise(200)) * value
        x[::7] = 0
        assert emd(x, stopping=stopping).shape[1] == 200


def test_sifts_are_counted():
    _, n_imfs, n_sifts = kernel.decompose(smooth_noise(500)[None], RULES["fixed"])
    assert_array_equal(n_sifts[0, : n_imfs[0] - 1], 10)


def test_a_missing_kernel_is_reported_once(monkeypatch, caplog):
    monkeypatch.setattr(kernel, "compiled", None)
    monkeypatch.setattr(kernel, "_warned", False)
    with caplog.at_level(logging.WARNING):
        emd(smooth_noise(30))
        emd(smooth_noise(30))
    assert caplog.text.count("was not built") == 1


@pytest.mark.parametrize("n_threads", [1, 3, None])
def test_results_of_threads_are_in_order(n_threads):
    chunks = kernel.over_threads(lambda start, stop: list(range(start, stop)), 10, n_threads, chunk=4)
    assert chunks == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_a_thread_reaches_the_caller_after_all_threads_have_ended(n_threads):
    ended = []

    def work(start, stop):
        if start == 3:
            raise ValueError("chunk 3")
        ended.append(start)

    with pytest.raises(ValueError, match="chunk 3"):
        kernel.over_threads(work, 100, n_threads)
    n_ended = len(ended)
    time.sleep(0.01)
    assert len(ended) == n_ended


def test_every_item_is_worked_on_once_by_the_calling_thread_and_others():
    threads = set()

    def work(start, stop):
        threads.add(threading.get_ident())
        time.sleep(0.001)
        return start

    assert kernel.over_threads(work, 60, 3) == list(range(60))
    assert threading.get_ident() in threads
    assert len(threads) > 1


@needs_kernel
def test_an_unknown_build_is_refused():
    with pytest.raises(ValueError, match="no build abacus for this processor"):
        kernel.compiled.choose("abacus")


@needs_kernel
def test_buffers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a buffer is shorter than its stated shape"):
        kernel.compiled.normals(np.zeros(3), 4, 0)
    with pytest.raises(ValueError, match="settings or shape out of range"):
        kernel.compiled.decompose(*[np.zeros(9)] * 4, 1, 3, 0, 0.1, 1, 1, 1)
    with pytest.raises(ValueError, match="outside the noise"):
        start, scale = np.array([3]), np.ones(1)
        kernel.ensemble_mean(np.zeros(9), np.zeros(9), scale, RULES["sd"], local_mean=True, starts=start)
    with pytest.raises(ValueError, match="shape out of range"):
        kernel.compiled.spectrum(np.zeros(9), 1, 1, 1.0, 0.0, 1.0, *[np.zeros(9)] * 2, 0, *[np.zeros(9)] * 2)
    with pytest.raises(ValueError, match="radices out of range"):
        power, radices = np.zeros((256, 256)), np.array([2, 7])
        kernel.compiled.spectrum(np.zeros(112), 1, 112, 1.0, 0.0, 1.0, power, radices, 2, *[np.zeros(999)] * 2)
    with pytest.raises(ValueError, match="radices out of range"):  # neither 112 samples nor room for the convolution
        radices = np.array([5, 5])
        kernel.compiled.spectrum(np.zeros(112), 1, 112, 1.0, 0.0, 1.0, power, radices, 2, *[np.zeros(999)] * 2)
