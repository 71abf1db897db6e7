"""One line of the table: armour beside one other way to the same result."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Row:
    """Seconds are the least of several interleaved rounds; None where the other does not run, and `note` says why."""

    framework: str  #: torch, tensorflow or python
    what: str  #: what both do
    beside: str  #: the other
    ours: float | None = None
    theirs: float | None = None
    figure: float | None = None  #: the largest ratio that armour has promised
    measure: str = ""  #: what the next two are: robust accuracy, median distance
    our_quality: float | None = None
    their_quality: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over theirs: below 1 armour is faster."""
        return None if self.ours is None or not self.theirs else self.ours / self.theirs

    @property
    def met(self) -> bool | None:
        """Whether the figure is met; None where there is none, or nothing was measured."""
        return None if self.figure is None or self.ratio is None else self.ratio <= self.figure
