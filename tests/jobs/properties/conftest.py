"""The profiles of the search for counterexamples.

`ci` is quick, finds the same on every machine and shows a failure as it was found; FULL=1 searches longer. `thorough`
searches very long and shrinks the failure (HYPOTHESIS_PROFILE=thorough).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

from tests.plan import size

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile(
    "ci",
    max_examples=size(60, full=500),
    deadline=None,
    derandomize=True,
    suppress_health_check=SLOW_IS_FINE,
    phases=[Phase.explicit, Phase.generate],
)
settings.register_profile("thorough", max_examples=5000, deadline=None, suppress_health_check=SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
