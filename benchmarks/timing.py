"""Contenders are run in turn, round after round, and the least time of each counts.

On a CPU the clock is the CPU time of the process, all its threads, so that other work on the machine disturbs little;
on a GPU it is the time on the wall between two synchronisations.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

from attrs import field, frozen

from benchmarks.rows import Row


@frozen
class Contender:
    """One way to the result. `figure`: the largest ratio of armour's time to this one's that is promised."""

    name: str
    run: Callable[[], Any]
    figure: float | None = None
    note: str = ""


@frozen
class Timed:
    """The least time, and the result of the first call."""

    seconds: float
    first_seconds: float
    result: Any


@frozen(kw_only=True)
class Course:
    """What all races on one framework share."""

    framework: str
    repeats: int
    synchronize: Callable[[], None] | None = None  #: waits for the GPU; None: there is none
    rows: list[Row] = field(factory=list)
    told: Callable[[str], None] = lambda what: None  #: called after each race

    def once(self, run: Callable[[], Any]) -> tuple[float, Any]:
        """Seconds of one call, and what it returned."""
        gc.collect()
        if self.synchronize is None:
            began = time.process_time()
            result = run()
            return time.process_time() - began, result
        self.synchronize()
        began = time.perf_counter()
        result = run()
        self.synchronize()
        return time.perf_counter() - began, result

    def race(
        self,
        what: str,
        ours: Callable[[], Any],
        others: Sequence[Contender],
        measure: str = "",
        judge: Callable[[Any], float] | None = None,
        repeats: int | None = None,
    ) -> list[Row]:
        """Time `ours` beside each of the others, and append a row for each. judge: the quality of a result."""
        contenders = [Contender("armour", ours), *others]
        timed, failed = self._timed(contenders, repeats or self.repeats)
        mine = timed["armour"]
        mark = (lambda result: None) if judge is None else judge
        rows = []
        for other in others:
            same = {"framework": self.framework, "what": what, "beside": other.name, "measure": measure}
            if other.name in failed:
                rows.append(Row(**same, note=f"does not run here: {failed[other.name]}"))
                continue
            theirs = timed[other.name]
            rows.append(
                Row(
                    **same,
                    ours=mine.seconds,
                    theirs=theirs.seconds,
                    figure=other.figure,
                    our_quality=mark(mine.result),
                    their_quality=mark(theirs.result),
                    note=other.note,
                )
            )
        self.rows.extend(rows)
        self.told(what)
        return rows

    def _timed(self, contenders: Sequence[Contender], repeats: int) -> tuple[dict[str, Timed], dict[str, str]]:
        """A first call of each, untimed for the ratio (it compiles), then rounds; who fails at first is left out."""
        first: dict[str, tuple[float, Any]] = {}
        failed = {}
        for contender in contenders:
            try:
                first[contender.name] = self.once(contender.run)
            except Exception as error:
                if contender.run is contenders[0].run:
                    raise  # armour's own is no matter for a row
                # a peer's, of any kind: its row says so
                failed[contender.name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"
        runners = [c for c in contenders if c.name in first]
        least = dict.fromkeys(first, float("inf"))
        for turn in range(repeats):
            shift = turn % len(runners)
            for contender in runners[shift:] + runners[:shift]:
                seconds, _ = self.once(contender.run)
                least[contender.name] = min(least[contender.name], seconds)
        return {name: Timed(least[name], *first[name]) for name in first}, failed
