"""How hypothesis searches: the same few examples in every run, or thousands with `--hypothesis-profile=search`."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "same",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],  # a failure is made smaller by the search
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile(
    "search", database=None, deadline=None, max_examples=1000, suppress_health_check=list(HealthCheck)
)
settings.load_profile("same")
