"""The command line. One file per command; a command is imported when it is invoked, and not for the list of commands.

A file `NAME.py` here (`NAME_.py` where NAME is a Python word) with a click command named `command` is the command
NAME; the first line of its docstring is what `armour --help` says of it. Distributions add commands by the hook
`armour_add_commands`.

Exit status: 0 done, 1 a threshold not met, 2 wrong usage or input, 3 a defect. A command may return its exit status.
"""

import ast
import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from armour_core import __version__
from armour_core.discovery import debugging
from armour_core.errors import ArmourError

DONE, BELOW_THRESHOLD, WRONG_INPUT, DEFECT = 0, 1, 2, 3
INTERRUPTED, NOBODY_READS = 130, 141  # as shells count them: 128 + SIGINT, 128 + SIGPIPE

_FILES = {
    path.stem.rstrip("_").replace("_", "-"): path
    for path in sorted(Path(__file__).parent.glob("*.py"))
    if not path.stem.startswith("_")
}


class Commands(click.Group):
    """A group whose commands are files, and which turns errors into exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """armour's own, then those that distributions add."""
        return [*_FILES, *sorted(set(self._added()) - set(_FILES))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command. armour's own cannot be taken over."""
        if (path := _FILES.get(cmd_name)) is not None:
            command: click.Command = importlib.import_module(f"{__name__}.{path.stem}").command
            command.name = cmd_name
            return command
        return self._added().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was asked for, or say which are near."""
        name = args[0].lower().replace("_", "-") if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=3)
            hint = f"Did you mean {' or '.join(near)}?" if near else "`armour --help` lists the commands."
            ctx.fail(f"There is no command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, [name, *args[1:]])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line for each command, read off its file without importing it."""
        lines = [(name, _first_line(path)) for name, path in _FILES.items()]
        added = self._added()
        lines += [(name, added[name].get_short_help_str(limit=80)) for name in sorted(set(added) - set(_FILES))]
        with formatter.section("Commands"):
            formatter.write_dl(lines)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that went away (`armour list | head`) is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(NOBODY_READS)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and exit with the status that the outcome has."""
        prog_name = prog_name or "armour"
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            code = WRONG_INPUT
        except click.Abort:
            click.echo("Interrupted.", err=True)
            code = INTERRUPTED
        except ArmourError as error:
            _tell_traceback()
            click.echo(f"{type(error).__name__}: {error}", err=True)
            code = WRONG_INPUT
        except (Exception, SystemExit) as error:  # whatever runs under a command has no business to exit
            told = _tell_traceback()
            how = "" if told else " ARMOUR_DEBUG=1 shows the traceback."
            click.echo(f"A defect in armour or in a plugin: {type(error).__name__}: {error}.{how}", err=True)
            code = DEFECT
        sys.exit(code if isinstance(code, int) else DONE)

    def _added(self) -> Mapping[str, click.Command]:
        """Commands that distributions add; asked for once, and only for the list or a name that no file has."""
        if not self.commands:
            from armour_core.registry import observe

            observe("armour_add_commands", cli=self)
        return self.commands


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def _tell_traceback() -> bool:
    """Print the traceback if ARMOUR_DEBUG asks for it."""
    wanted = debugging()
    if wanted:
        traceback.print_exc()
    return wanted


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="armour", message="%(prog)s %(version)s")
def main() -> None:
    """Security, privacy and reliability of machine-learning models, one plugin framework.

    Exit status: 0 done, 1 a threshold not met, 2 wrong usage or input, 3 a defect. ARMOUR_DEBUG=1 shows tracebacks.
    """
