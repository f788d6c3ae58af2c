"""What all tests have in common."""

from hypothesis import HealthCheck, settings

# How quick a test is depends on what else the machine does, and is nobody's fault.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
