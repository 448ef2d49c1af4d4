"""Stopping rules by name, and their numbers."""

import pytest

from semg_hht.hht.stopping import RULES, StoppingRule, stopping_rule


def test_names_and_kernel_codes_are_unique():
    assert list(RULES) == ["sd", "emd", "rilling", "s-number", "fixed", "pyemd", "upstream"]
    assert [rule.code for rule in RULES.values()] == list(range(7))


def test_given_numbers_replace_those_of_the_rule():
    assert stopping_rule("sd") == RULES["sd"]
    changed = stopping_rule("s-number", max_imfs=3, max_sifts=20, n_sifts=2)
    assert changed == StoppingRule("s-number", 3, max_imfs=3, max_sifts=20, n_sifts=2)
    assert stopping_rule(changed, sd_threshold=0.5).threshold == 0.5
    assert stopping_rule(changed) == changed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stopping": "later"}, "stopping rule 'later' is unknown; expected one of sd, "),
        ({"sd_threshold": 0}, "sd_threshold must be above 0"),
        ({"max_imfs": 0}, "max_imfs must be from 1"),
        ({"max_sifts": 0}, "max_sifts must be from 1"),
        ({"n_sifts": 10**9}, "n_sifts must be from 1"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        stopping_rule(**{"stopping": "sd"} | options)
