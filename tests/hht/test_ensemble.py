"""Noise-assisted and masked sifts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hht_signals import probes, semg_like
from semg_hht.hht import ceemdan, eemd, emd, iceemdan, masked_sift, stopping_rule, upstream_ceemdan
from semg_hht.hht.noise import key, numpy_normals
from signal_builders import TIME_S, TONES


@pytest.mark.parametrize("method", [eemd, ceemdan, iceemdan, upstream_ceemdan])
class TestEveryEnsemble:
    def test_rows_add_up_to_the_signal(self, method):
        rows = method(TONES, 10)
        assert_allclose(rows.sum(axis=0), TONES, rtol=0, atol=1e-13)

    def test_the_seed_decides_the_noise(self, method):
        assert_array_equal(method(TONES, 5, seed=3), method(TONES, 5, seed=3))
        assert np.any(method(TONES, 5, seed=3)[0] != method(TONES, 5, seed=4)[0])

    def test_threads_change_nothing(self, method):
        assert_array_equal(method(TONES, 20, n_threads=1), method(TONES, 20, n_threads=3))

    def test_place_in_a_batch_changes_nothing(self, method):
        x = np.stack([TONES, TONES[::-1] + TIME_S])
        batch = method(x, 5)
        for row, signal in zip(batch, x, strict=True):
            alone = method(signal, 5)
            assert_array_equal(row[: len(alone) - 1], alone[:-1])
            assert_array_equal(row[-1], alone[-1])

    def test_does_not_depend_on_the_unit(self, method):
        if method is upstream_ceemdan:
            pytest.skip("its stopping rule adds 1e-10 to an energy")
        assert_allclose(method(TONES / 1024, 5) * 1024, method(TONES, 5), rtol=0, atol=1e-10)

    def test_compiled_is_numpy(self, method, on_numpy):
        assert_allclose(method(TONES, 9), on_numpy(method, TONES, 9), rtol=0, atol=1e-10)

    @pytest.mark.parametrize(
        ("arguments", "noise", "message"),
        [
            ((TONES, 0), None, "an ensemble needs at least one trial"),
            ((TONES, 5, -0.1), None, "noise_std >= 0; got 5 and -0.1"),
            ((TONES, 5), np.zeros((10, 5, 3)), "noise must be"),
            ((np.zeros(50), 5), None, "must vary"),
        ],
    )
    def test_invalid_arguments_are_refused(self, method, arguments, noise, message):
        with pytest.raises(ValueError, match=message):
            method(*arguments, noise=noise)


@pytest.mark.parametrize("stopping", ["sd", "rilling", "s-number", "fixed", "pyemd"])
@pytest.mark.parametrize("method", [eemd, ceemdan, iceemdan])
def test_any_stopping_rule(method, stopping):
    rows = method(TONES, 6, stopping=stopping_rule(stopping, max_imfs=5))
    assert len(rows) <= 6
    assert_allclose(rows.sum(axis=0), TONES, rtol=0, atol=1e-13)
    assert_array_equal(method(TONES, 6, stopping=stopping)[0], rows[0])


def test_without_noise_eemd_is_emd():
    assert_allclose(eemd(TONES, 3, 0.0), emd(TONES), rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", [ceemdan, iceemdan])
def test_an_intermittent_tone_is_separated(method):
    """While the fast tone is absent, EMD's first IMF follows the slow tone; the ensembles reduce this mixing."""
    slow_part = slice(50, 250)
    mixed = np.std(emd(TONES)[0][slow_part])
    assert np.std(method(TONES, 50)[0][slow_part]) < 0.35 * mixed


@pytest.mark.parametrize("method", [ceemdan, iceemdan])
class TestNoiseBank:
    def test_complete_and_repeatable(self, method):
        rows = method(TONES, 9, noise="bank")
        assert_allclose(rows.sum(axis=0), TONES, rtol=0, atol=1e-13)
        assert_array_equal(method(TONES, 9, noise="bank", n_threads=3), rows)

    def test_separates_like_independent_noise(self, method):
        independent, bank = method(TONES, 60)[0], method(TONES, 60, noise="bank")[0]
        assert np.std(bank - independent) < 0.2 * np.std(independent)

    def test_invalid_arguments_are_refused(self, method):
        with pytest.raises(ValueError, match="noise must be numbers or 'bank'; got 'bench'"):
            method(TONES, 9, noise="bench")
        with pytest.raises(ValueError, match="an ensemble needs at least one trial"):
            method(TONES, 0, noise="bank")


class TestMaskedSift:
    def test_complete_and_not_random(self, on_numpy):
        rows = masked_sift(TONES)
        assert_allclose(rows.sum(axis=0), TONES, rtol=0, atol=1e-13)
        assert_array_equal(masked_sift(TONES), rows)
        assert_allclose(on_numpy(masked_sift, TONES), rows, rtol=0, atol=1e-10)

    def test_a_trend_has_no_imf(self):
        assert_array_equal(masked_sift(np.arange(30.0)), np.arange(30.0)[None])

    def test_invalid_arguments_are_refused(self):
        with pytest.raises(ValueError, match="a masked sift needs two phases"):
            masked_sift(TONES, n_phases=1)
        with pytest.raises(ValueError, match="a positive mask"):
            masked_sift(TONES, mask_std=0)


@pytest.mark.parametrize("index", range(12))
def test_ceemdan_is_pyemd_with_the_same_noise(references, real_excerpt, index):
    signal = real_excerpt(index) if index % 3 == 0 else semg_like(200 + 30 * index, index)
    noise = np.stack([numpy_normals(signal.size, key(5, trial)) for trial in range(8)])
    actual = probes(ceemdan(signal, 8, 0.005, stopping="pyemd", noise=noise))
    expected = references[f"ceemdan/{index}"]
    assert actual.shape == expected.shape
    assert_allclose(actual, expected, rtol=0, atol=1e-10 * np.abs(signal).max())


def test_trials_and_seed_are_whole_numbers() -> None:
    for n_trials, seed in ((2.5, 0), (2, 1.5), (2, -1)):
        with pytest.raises(ValueError, match="trial|seed"):
            eemd(np.arange(64.0) % 7, n_trials, seed=seed)  # type: ignore[arg-type]
