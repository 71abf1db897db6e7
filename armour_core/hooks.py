"""The hooks a distribution may implement. They are few: whatever a person selects by name is a Spec, not a hook.

A distribution names a module (or an object) in the entry-point group `armour.plugins`; functions there that are marked
with `hookimpl` and bear one of the names below are called. An implementation may take any subset of the arguments, and
may say `@hookimpl(tryfirst=True)` or `trylast=True`. Wrappers are not accepted: hooks are called one by one, so that a
plugin that raises costs only itself.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from armour_core.kinds import Kind
    from armour_core.specs import Spec

PROJECT = "armour"
"""pluggy's name for these hooks, and the prefix of each."""

GROUP = "armour.plugins"
"""The entry-point group that is searched."""

hookspec = pluggy.HookspecMarker(PROJECT)

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function as the implementation of the hook it is named after."""


@hookspec
def armour_specs() -> "Iterable[Spec]":  # type: ignore[empty-body]
    """Return what this distribution offers by name. Import nothing heavy: a Spec names its class only."""


@hookspec
def armour_kinds() -> "Iterable[Kind]":  # type: ignore[empty-body]
    """Return the kinds of plugin that this distribution adds: name, Protocol, conformance checks."""


@hookspec(firstresult=True)
def armour_infer_backend(net: Any) -> str | None:
    """Return the name of the backend that `net` belongs to, or None. Read `type(net).__mro__`; import no framework."""


@hookspec(firstresult=True)
def armour_wrap_model(net: Any, device: str, options: Mapping[str, Any]) -> Any:
    """Return a `protocols.model.Net` for `net` on `device` ("auto": where it is), or None when it is not yours.

    options: what else the caller gave to `wrap`.
    """


@hookspec(firstresult=True)
def armour_open_data(uri: str) -> Any:
    """Return the data at `uri` (see `protocols.dataset`), or None when its scheme is not yours. Raises DataError."""


@hookspec(firstresult=True)
def armour_open_model(uri: str) -> Any:
    """Return the network at `uri`, to be wrapped, or None when its scheme is not yours. Raises DataError."""


@hookspec
def armour_before_run(run: Mapping[str, Any]) -> None:
    """A run begins. `run`: plain values such as plugin id, config, rows, eps, seed; the same mapping until it ends.

    Observers watch (progress bars, trackers, loggers): one that raises is reported once, and changes nothing.
    """


@hookspec
def armour_after_batch(run: Mapping[str, Any], done: int, total: int) -> None:
    """`done` of `total` rows of this run are finished."""


@hookspec
def armour_after_run(run: Mapping[str, Any], result: Any) -> None:
    """A run has ended. result: its Result or Report; None when the run failed."""


@hookspec
def armour_add_commands(cli: "click.Group") -> None:
    """Add commands to the command line: `cli.add_command(command)`. armour's own names cannot be taken over."""
