"""A pytest plugin for a process of its own: the fixtures of tests/conftest.py, with JAX for armour's backends."""

from typing import Any

import pytest
from armour_jax.backend import backend_for
from hypothesis import HealthCheck, settings

settings.register_profile("jax", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.load_profile("jax")


@pytest.fixture
def backend() -> Any:
    """JAX's, on the CPU."""
    return backend_for("cpu")


autodiff_backend = tensorflow_backend = backend
