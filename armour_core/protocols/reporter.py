"""What a reporter promises: a report in one format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from armour_core.report import Report


class Reporter(Protocol):
    """A frozen configuration. Its Spec's tags name the suffixes that it writes: ".html"."""

    def render(self, report: Report) -> bytes:
        """The file's content."""
