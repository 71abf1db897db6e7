"""What a command answers: one value, printed as JSON with `--json` and for people without."""

import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
from attrs import frozen


@frozen(kw_only=True)
class Answer:
    """The outcome of a command."""

    value: Any  #: plain values: what `--json` prints
    show: Callable[[], None]  #: prints the same for people
    code: int = 0  #: exit status


def answers(function: Callable[..., Answer]) -> Callable[..., int]:
    """Give a command that returns an Answer the option `--json`: then nothing but JSON reaches standard output.

    What plugins and frameworks print meanwhile goes to standard error.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else on standard output.")
    @functools.wraps(function)
    def command(*args: Any, as_json: bool, **options: Any) -> int:
        if not as_json:
            answer = function(*args, **options)
            answer.show()
            return answer.code
        with contextlib.redirect_stdout(sys.stderr), _descriptor_silent():
            answer = function(*args, **options)
        click.echo(json.dumps(answer.value, indent=2, ensure_ascii=False, allow_nan=False))
        return answer.code

    return command


@contextlib.contextmanager
def _descriptor_silent() -> Iterator[None]:
    """Standard output's file descriptor leads to standard error meanwhile: libraries in C write past `sys.stdout`."""
    if sys.__stdout__ is not None:
        sys.__stdout__.flush()
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # closed from the start
        yield
        return
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table: drawn to the terminal's width, or as plain columns, never cut, when there is no terminal."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Column, Table

        first, *others = headings  # the first holds what is typed to ask further: it is never cut
        columns = (Column(first, no_wrap=True), *(Column(heading, overflow="fold") for heading in others))
        drawn = Table(*columns, title=title or None, title_justify="left", box=None, pad_edge=False)
        for row in rows:
            drawn.add_row(*(_unmarked(cell) for cell in row))
        Console().print(drawn)
        return
    if title:
        click.echo(title)
    widths = [max(map(len, column)) for column in zip(headings, *rows)]
    for row in (headings, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair a line; pairs without a value are left out."""
    width = max((len(name) for name, value in pairs if value), default=0)
    for name, value in pairs:
        if value:
            click.echo(f"{name.ljust(width)}  {value}")


def _unmarked(cell: str) -> Any:
    from rich.text import Text

    return Text(cell)  # square brackets in a cell are text, not rich's markup
