"""Random seeds: which are valid.

It does not know what is drawn.
"""

from __future__ import annotations

from numbers import Integral

from semg_hht.errors import InputError

MAX_SEED = 2**32 - 1  # scikit-learn takes none above it


def require_seed(seed: object) -> None:
    """Require a seed that every random generator takes.

    Raises
    ------
    InputError
        ``seed`` is not a whole number from 0 to `MAX_SEED`.
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= int(seed) <= MAX_SEED:
        raise InputError(f"seed must be a whole number from 0 to {MAX_SEED}; got {seed!r}")
