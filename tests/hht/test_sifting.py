"""The NumPy sift: extrema by every definition, envelopes, and the modes of one signal."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.hht.sifting import (
    envelopes_of,
    extract_mode,
    extrema_of,
    find_extrema,
    is_monotonic,
    next_mode,
    open_stream,
    zero_crossings,
)
from semg_hht.hht.stopping import RULES
from signal_builders import TONES, smooth_noise


class TestExtrema:
    def test_extremum_of_a_plateau_is_its_midpoint(self):
        t_max, t_min = find_extrema(np.array([0.0, 2, 2, 1, 1, 1, 3, 0, 0, 5]))
        assert_array_equal(t_max, [1.5, 6])
        assert_array_equal(t_min, [4, 7.5])

    def test_plateaus_at_the_ends_are_not_extrema(self):
        t_max, t_min = find_extrema(np.array([1.0, 1, 0, 2, 2]))
        assert_array_equal(t_max, [])
        assert_array_equal(t_min, [2])

    @pytest.mark.parametrize(
        ("name", "maxima", "minima"),
        [
            ("sd", [2.5, 6], [4]),  # a plateau counts at its midpoint
            ("emd", [6], [4]),  # a plateau does not count
            ("pyemd", [2, 6], [4]),  # a midpoint is rounded to the even sample
            ("upstream", [2, 6], [0, 4, 7]),  # a plateau counts at its first sample, and the ends count
        ],
    )
    def test_each_rule_has_its_definition(self, name, maxima, minima):
        t_max, t_min = extrema_of(np.array([0.0, 1, 3, 3, 1, 2, 4, 0]), RULES[name])
        assert_array_equal(t_max, maxima)
        assert_array_equal(t_min, minima)

    def test_zero_crossings_count_a_run_of_zeros_once(self):
        assert zero_crossings(np.array([1.0, -1, 0, 0, 2, 0, 3, -1])) == 4
        assert zero_crossings(np.array([0.0, 1, 2])) == 1

    def test_monotonic(self):
        assert is_monotonic(np.array([1.0, 1, 2]))
        assert is_monotonic(np.array([2.0, 1, 1]))
        assert not is_monotonic(np.array([1.0, 2, 1]))


class TestEnvelopes:
    @pytest.mark.parametrize("name", sorted(RULES))
    def test_they_pass_through_the_extrema(self, name):
        x = smooth_noise(300, 1, 3)
        envelopes = envelopes_of(x, RULES[name])
        t_max, t_min = (t.astype(int) for t in extrema_of(x, RULES[name]))
        assert_allclose(envelopes.upper[t_max], x[t_max], rtol=0, atol=1e-12)
        assert_allclose(envelopes.lower[t_min], x[t_min], rtol=0, atol=1e-12)

    @pytest.mark.parametrize("name", sorted(RULES))
    def test_a_trend_has_none(self, name):
        assert envelopes_of(np.arange(20.0) ** 2, RULES[name]) is None


class TestModes:
    @pytest.mark.parametrize("name", sorted(RULES))
    def test_modes_and_rest_add_up(self, name):
        stream = open_stream(TONES)
        modes = []
        while (mode := next_mode(stream, RULES[name])[0]) is not None:
            modes.append(mode)
        assert stream.done
        assert stream.n_modes >= len(modes) >= 2
        assert_allclose(np.sum(modes, axis=0) + stream.rest, TONES, rtol=0, atol=1e-13)
        assert next_mode(stream, RULES[name]) == (None, 0)

    def test_the_fixed_rule_has_ten_sifts(self):
        assert extract_mode(TONES, RULES["fixed"])[1] == 10

    def test_a_trend_has_no_mode(self):
        mode, n_sifts, n_extrema = extract_mode(np.arange(20.0), RULES["sd"])
        assert (mode, n_sifts, n_extrema) == (None, 0, 0)
