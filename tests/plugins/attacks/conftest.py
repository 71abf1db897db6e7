"""Models whose robustness is known exactly."""

from tests.known import engine, gradients

__all__ = ["engine", "gradients"]
