"""How patient generated tests are: a loaded machine is no fault of what is tested."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

patient = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
