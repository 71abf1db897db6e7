"""The kinds of plugin: what each promises (a Protocol) and how that is checked.

Built-in kinds are listed here; a distribution adds its own through the hook `armour_kinds`.
"""

import importlib
import re
from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from armour_core.errors import ConfigError, PluginLoadError
from armour_core.specs import normalise

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


def _sequence(value: object) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str) or callable(value) else tuple(value)  # type: ignore[arg-type]


@frozen
class Kind:
    """One kind of plugin.

    Protocol and checks are objects, or "package.module:attribute", which is imported on first use.
    Raises ConfigError when the name is not snake_case.
    """

    name: str = field()  #: snake_case, singular: "attack"
    summary: str = ""  #: what it promises, in one line
    protocol: str | type = ""  #: the typing.Protocol that a plugin of this kind implements
    checks: tuple[str | Callable[[Any], Any], ...] = field(default=(), converter=_sequence)
    """Conformance checks: each is called with a Spec, and raises AssertionError where the plugin breaks its promise."""
    origin: str = ""  #: distribution name; filled in by discovery

    @name.validator
    def _check_name(self, attribute: object, value: object) -> None:
        if not isinstance(value, str) or not _NAME.match(value):
            raise ConfigError(f"Kind.name is {value!r}: use snake_case, as in 'coverage'.")

    def load_protocol(self) -> type:
        """The Protocol class. Raises PluginLoadError when it cannot be imported."""
        protocol: type = _load(self.protocol, f"the Protocol of kind {self.name!r}")
        return protocol

    def load_checks(self) -> tuple[Callable[[Any], Any], ...]:
        """The checks. Raises PluginLoadError when one cannot be imported."""
        return tuple(_load(check, f"a check of kind {self.name!r}") for check in self.checks)


def _load(target: Any, what: str) -> Any:
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise PluginLoadError(f"{target!r}, {what}, cannot be imported: {error}.") from error


_PROTOCOLS = "armour_core.protocols."

BUILTIN = {
    kind.name: kind
    for kind in (
        Kind(
            "attack",
            "perturbs inputs so that a model errs: start / step / finish, or run",
            _PROTOCOLS + "attack:Attack",
        ),
        Kind("loss", "a loss for each example, for attacks to climb and for training", _PROTOCOLS + "loss:Loss"),
        Kind("defense", "makes a model harder to fool: protect(model[, data])", _PROTOCOLS + "defense:Defense"),
        Kind("detector", "scores how suspicious an input is to a model", _PROTOCOLS + "detector:Detector"),
        Kind("ood", "scores how far an input is from what a model was made for", _PROTOCOLS + "detector:Detector"),
        Kind("drift", "tells whether data has changed: fit and test, or stream", _PROTOCOLS + "drift:DriftDetector"),
        Kind("mutator", "makes new test inputs from old ones", _PROTOCOLS + "mutator:Mutator"),
        Kind("coverage", "measures how much of a model's behaviour was exercised", _PROTOCOLS + "coverage:Coverage"),
        Kind("mechanism", "the noise of private training", _PROTOCOLS + "mechanism:Mechanism"),
        Kind("clipper", "bounds what one example can add to a private update", _PROTOCOLS + "mechanism:Clipper"),
        Kind("accountant", "adds up the privacy that was spent", _PROTOCOLS + "mechanism:Accountant"),
        Kind("inference", "asks what a model gives away of its data", _PROTOCOLS + "inference:Inference"),
        Kind("extraction", "copies a model from its answers", _PROTOCOLS + "inference:Extraction"),
        Kind("poison", "changes training data for the attacker's ends", _PROTOCOLS + "inference:Poison"),
        Kind("fault", "breaks weights or activations as hardware does", _PROTOCOLS + "fault:Fault"),
        Kind("cipher", "encrypts and authenticates streams", _PROTOCOLS + "cipher:Cipher"),
        Kind("explainer", "says which inputs an output rests on", _PROTOCOLS + "explainer:Explainer"),
        Kind("metric", "a number with its interval, from a result or from arrays", _PROTOCOLS + "metric:Metric"),
        Kind("probe", "asks one question of a model and answers in findings", _PROTOCOLS + "probe:Probe"),
        Kind("executor", "runs units of work: serially, in processes, on a cluster", _PROTOCOLS + "executor:Executor"),
        Kind("reporter", "writes a report in one format", _PROTOCOLS + "reporter:Reporter"),
        Kind("dataset", "opens data by URI", _PROTOCOLS + "dataset:Dataset"),
        Kind("backend", "adapts one framework on one device", _PROTOCOLS + "backend:Backend"),
    )
}
"""armour's own kinds, by name."""


def kind_name(name: object) -> str:
    """Spell a kind as `BUILTIN` does. Raises ConfigError for what is not a string."""
    if not isinstance(name, str):
        raise ConfigError(f"A kind is a string such as 'attack', not {name!r}.")
    return normalise(name)
