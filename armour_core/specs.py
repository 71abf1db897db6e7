"""What can be known of an algorithm without importing it."""

import re

from attrs import field, frozen

from armour_core.errors import ConfigError

API_VERSION = 1
"""The plugin interface this armour speaks. A Spec built for another one is refused."""

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z")


def normalise(name: str) -> str:
    """Spell `name` as lookups compare it: lower case, `-` as `_`."""
    return name.strip().lower().replace("-", "_")


def _strings(value: object) -> frozenset[str]:
    words: frozenset[str] = frozenset([value] if isinstance(value, str) else value)  # type: ignore[call-overload]
    return words


def _tuple(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)  # type: ignore[arg-type]


@frozen
class Spec:
    """One algorithm a distribution offers: its kind, its name, and where its class is.

    Raises ConfigError when a field is not of the form described beside it.
    """

    kind: str = field()  #: snake_case; "attack", "loss", "backend", ...
    name: str = field()  #: snake_case, equal to the module's file name
    target: str = field()  #: "package.module:Class", imported on first use only
    summary: str = ""  #: one line, shown in lists
    aliases: tuple[str, ...] = field(default=(), converter=_tuple)  #: names known from elsewhere, such as "LinfPGD"
    tags: frozenset[str] = field(default=frozenset(), converter=_strings)  #: "white-box", "linf", ...
    needs: frozenset[str] = field(default=frozenset(), converter=_strings)  #: capabilities of model or backend
    extra: str | None = None  #: the distribution's extra that brings its dependencies
    reference: str | None = None  #: arXiv id, DOI or citation
    revision: int = 1  #: goes up when results change; every report records it
    api: int = API_VERSION  #: plugin interface the author wrote for
    origin: str = ""  #: distribution name; filled in by discovery

    @kind.validator
    @name.validator
    def _check_name(self, attribute: object, value: object) -> None:
        if not isinstance(value, str) or not _NAME.match(value):
            raise ConfigError(
                f"Spec.{getattr(attribute, 'name', 'name')} is {value!r}: use snake_case, as in 'boundary'."
            )

    @target.validator
    def _check_target(self, attribute: object, value: object) -> None:
        if not isinstance(value, str) or not _TARGET.match(value):
            raise ConfigError(f"Spec.target of {self.kind}:{self.name} is {value!r}: write 'package.module:Class'.")

    @property
    def id(self) -> str:
        """`kind:name` for armour's own, `kind:origin/name` for a third party's."""
        return f"{self.kind}:{self.name}" if self.origin in ("", "armour") else f"{self.kind}:{self.origin}/{self.name}"
