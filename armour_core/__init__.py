"""armour: one plugin framework for the security, privacy and reliability of machine-learning models.

Importing it imports no machine-learning framework; each public name is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from armour_core.engine.driver import drive
    from armour_core.engine.evaluate import evaluate
    from armour_core.engine.problem import Budget, Problem
    from armour_core.engine.run import run_attack
    from armour_core.engine.scan import scan
    from armour_core.errors import (
        AmbiguousPlugin,
        ArmourError,
        ConfigError,
        ContractError,
        DataError,
        IncompatiblePlugin,
        IntegrityError,
        MissingCapability,
        PluginLoadError,
        UnknownPlugin,
    )
    from armour_core.goals import Targeted, Untargeted
    from armour_core.hooks import hookimpl
    from armour_core.model import wrap
    from armour_core.registry import create, list_plugins, register, spec
    from armour_core.specs import Spec

_HOME = {
    "armour_core.engine.driver": ("drive",),
    "armour_core.engine.evaluate": ("evaluate",),
    "armour_core.engine.problem": ("Budget", "Problem"),
    "armour_core.engine.run": ("run_attack",),
    "armour_core.engine.scan": ("scan",),
    "armour_core.errors": (
        "AmbiguousPlugin", "ArmourError", "ConfigError", "ContractError", "DataError", "IncompatiblePlugin",
        "IntegrityError", "MissingCapability", "PluginLoadError", "UnknownPlugin",
    ),
    "armour_core.goals": ("Targeted", "Untargeted"),
    "armour_core.hooks": ("hookimpl",),
    "armour_core.model": ("wrap",),
    "armour_core.registry": ("create", "list_plugins", "register", "spec"),
    "armour_core.specs": ("Spec",),
}  # fmt: skip
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [*_MODULE, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'armour_core' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
