"""The name of a measure of a channel, in the language of the texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def measure_name(kind: str, channel: str, texts: Mapping[str, Any]) -> str:
    """Such as "amplitude of BICEPS", or "amplitude of all channels" where ``channel`` is empty.

    texts : those of a language (see ``report/en.json``).
    """
    if kind == "duration":  # the same for all channels
        return str(texts["measures"][kind])
    return str(texts["measure_of"]).format(measure=texts["measures"][kind], channel=channel or texts["measure_all"])
