"""When it pays to leave finished rows behind: at once where any number of rows will do, and where code has one version
per shape, when the steps that are left repay the compiling. Results never depend on it.
"""

from __future__ import annotations

from attrs import define, field

from armour_core.engine.send import bucket


@define
class Pace:
    """What the compiled steps of one attack on one model have cost so far, by the number of rows."""

    static: bool  #: code has one version per shape
    limit: int  #: rows sent at once
    compiling: float = 0.0  #: seconds that a new shape takes, at most
    seconds: dict[int, float] = field(factory=dict)  #: of one step, by rows; 0 where only the first call is known

    def note(self, rows: int, steps: int, seconds: float) -> None:
        """A chunk of steps took this long; the first at a shape holds the compiling."""
        if rows in self.seconds:
            self.seconds[rows] = seconds / steps
        else:
            self.seconds[rows] = 0.0
            self.compiling = max(self.compiling, seconds)

    def rows_for(self, live: int, steps: int, now: int | None = None) -> int:
        """How many rows to compute for `live` ones in the next `steps` steps, where `now` are computed at present."""
        if not self.static:
            return live if now is None or live <= now * 3 // 4 else now
        sizes = {bucket(live, self.limit), *(rows for rows in self.seconds if rows >= live)}
        return min(sorted(sizes), key=lambda rows: self._cost(rows, steps))

    def _cost(self, rows: int, steps: int) -> float:
        known = rows in self.seconds
        timed = {size: cost for size, cost in self.seconds.items() if cost}
        if not timed:  # nothing measured yet: stay with what is compiled, smallest first
            return rows if known or not self.seconds else float("inf")
        nearest = min(timed, key=lambda size: (abs(size - rows), size))
        step = timed.get(rows, timed[nearest] * rows / nearest)
        return steps * step + (0.0 if known else self.compiling)
