"""Formats a report can be written in. A tag that begins with a dot is the file suffix that a reporter answers to."""

from collections.abc import Iterable

from armour_core.hooks import hookimpl
from armour_core.specs import Spec


@hookimpl
def armour_specs() -> Iterable[Spec]:
    """The reporters of armour itself."""
    return [
        Spec("reporter", "json", "armour_plugins.reporters.json:Json", tags={".json"},
             summary="Every number, under the keys of a versioned schema"),
        Spec("reporter", "html", "armour_plugins.reporters.html:Html", tags={".html"}, extra="report",
             summary="One self-contained page to hand on"),
    ]  # fmt: skip
