"""An explanation with known evidence, for the tests of how it is shown."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from semg_hht.explanation.explanation import Attribution, ExplainedRepetition, Explanation, Grid, Imf
from semg_hht.inference.answers import Answer

AXIS = (np.arange(256) + 0.5) / 256


def explanation(**changes: Any) -> Explanation:
    """Evidence for "half" in 100 to 200 Hz and 0.5 to 1 s of a matrix of even energy, a little against it below.

    changes : fields of the explanation or of one of its parts.
    """
    evidence = np.zeros((2, 256, 256))
    evidence[0, 64:128, 64:128] = 3.0 / 64**2
    evidence[1, :32, 128:192] = -1.0 / (32 * 64)
    original = Explanation(
        repetition=ExplainedRepetition("弯举.csv", 2, 3, name="2", start_s=4.0, stop_s=6.0),
        task="action_quality",
        answer=Answer("half", 0.88, {"full": 0.12, "half": 0.88}, ("half", "full")),
        method="integrated_gradients",
        grid=Grid(("biceps", "triceps"), np.ones((2, 256, 256), dtype=np.float32), 400 * AXIS, 2 * AXIS),
        attribution=Attribution(evidence, score=2.0, empty=0.0, is_odds=True, blocks={}, average=0.0),
        imfs=(Imf(1, 150.0, 2.5), Imf(2, 60.0, -0.5)),
    )
    for part in ("repetition", "grid", "attribution"):
        value = getattr(original, part)
        own = {field.name: changes.pop(field.name) for field in fields(value) if field.name in changes}
        original = replace(original, **{part: replace(value, **own)})
    return replace(original, **changes)
