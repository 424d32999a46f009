"""How many examples, and whether a failing one is made smaller.

`ci` is for everybody: it stops at the first failure and prints the blob that plays it again. `make chaos` plays `more`
of them first, `long` is for a night, `shrink` for a failure at hand:
HYPOTHESIS_PROFILE=long pytest --timeout 0 tests/property
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# A history takes as long as it takes. Making one smaller takes minutes: that is for the profiles that are asked for.
SLOW = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
AS_FOUND = (Phase.explicit, Phase.reuse, Phase.generate)

# What decides about a change must decide alike twice; everywhere else each run looks somewhere new.
IS_GATE = bool(os.environ.get("CI"))
settings.register_profile("ci", max_examples=15, phases=AS_FOUND, derandomize=IS_GATE, **SLOW)
settings.register_profile("more", max_examples=200, phases=AS_FOUND, **SLOW)
settings.register_profile("shrink", max_examples=60, **SLOW)
settings.register_profile("long", max_examples=3000, phases=AS_FOUND, **SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
