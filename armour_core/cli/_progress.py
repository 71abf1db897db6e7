"""Progress of long work, on standard error: a bar on a terminal, a line for each part elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import click
from attrs import define, field


class Reporter(Protocol):
    """What a command tells of its progress."""

    def line(self, text: str) -> None:
        """Something begins."""

    def batch(self, text: str, done: int, total: int) -> None:
        """`done` of `total` of what `text` names are finished."""

    def remarks(self, texts: Sequence[str]) -> None:
        """What a reader of the outcome must know."""


@contextlib.contextmanager
def reporting(quiet: bool) -> Iterator[Reporter]:
    """A reporter that suits where standard error goes."""
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            yield _Bars(bars)
    else:
        yield _Lines()


class _Silent:
    def line(self, text: str) -> None:
        """Nothing."""

    def batch(self, text: str, done: int, total: int) -> None:
        """Nothing."""

    def remarks(self, texts: Sequence[str]) -> None:
        """Nothing: they are in the report."""


@define
class _Bars:
    """One bar, renamed as the work goes on."""

    bars: Any
    task: Any = None
    text: str = ""

    def line(self, text: str) -> None:
        """Above the bar."""
        self.bars.console.print(text, markup=False, highlight=False)

    def batch(self, text: str, done: int, total: int) -> None:
        """Moves the bar; a new text starts it anew."""
        if text != self.text:
            if self.task is not None:
                self.bars.remove_task(self.task)
            self.task, self.text = self.bars.add_task(text.replace("[", r"\["), total=total), text
        self.bars.update(self.task, completed=done, total=total)

    def remarks(self, texts: Sequence[str]) -> None:
        """Above the bar."""
        for text in texts:
            self.line(f"note: {text}")


@define
class _Lines:
    """For logs: a line when a part is done."""

    began: float = field(factory=time.perf_counter)

    def line(self, text: str) -> None:
        """At once."""
        click.echo(text, err=True)

    def batch(self, text: str, done: int, total: int) -> None:
        """Only the last batch of a part."""
        if done >= total:
            click.echo(f"{text}: {total} done, {time.perf_counter() - self.began:.0f} s since the start", err=True)

    def remarks(self, texts: Sequence[str]) -> None:
        """A line each."""
        for text in texts:
            click.echo(f"note: {text}", err=True)
