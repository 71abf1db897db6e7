"""One thread per framework, quiet logs, and every backend as a fixture, imported when the first test asks for it."""

import os

# Before any framework is imported: they read these once.
for name, value in {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": "1",
}.items():
    os.environ.setdefault(name, value)

import functools  # noqa: E402
import importlib  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

HOME = {
    "numpy": "armour_backends.numpy.backend",
    "torch": "armour_backends.torch.backend",
    "tensorflow": "armour_backends.tensorflow.backend",
    "strict": "armour_core.testing.strict",
}
FRAMEWORK = {"strict": "array_api_strict"}

# A first call may trace or import; that is no sign of a slow example. Fixed examples: a failure is seen by all.
settings.register_profile(
    "armour",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("armour")


@functools.cache
def load_backend(name: str) -> Any:
    """The CPU backend of a framework; skips the test where the framework is not installed."""
    pytest.importorskip(FRAMEWORK.get(name, name), reason=f"{FRAMEWORK.get(name, name)} is not installed")
    return importlib.import_module(HOME[name]).backend_for("cpu")


@pytest.fixture(params=["numpy", "torch", "tensorflow", "strict"])
def backend(request: pytest.FixtureRequest) -> Any:
    """Each backend in turn."""
    return load_backend(request.param)


@pytest.fixture(params=["torch", "tensorflow", "strict"])
def autodiff_backend(request: pytest.FixtureRequest) -> Any:
    """Each backend that has gradients."""
    return load_backend(request.param)


@pytest.fixture
def torch_backend() -> Any:
    """torch's, for what only it does."""
    return load_backend("torch")


@pytest.fixture
def tensorflow_backend() -> Any:
    """TensorFlow's, for what only it does."""
    return load_backend("tensorflow")
