"""Fixtures that every folder may use, and what hypothesis must not mind."""

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.support.databases",
    "tests.support.measured",
    "tests.support.statements",
    "tests.support.warm",
]

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
