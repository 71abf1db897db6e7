"""The command line as a whole: exit statuses, where messages go, and what is imported when."""

import json
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from armour_core import cli
from armour_core.cli import main
from armour_core.cli._answer import Answer, answers, facts, table
from armour_core.errors import DataError


@pytest.fixture
def group():
    """A command line with commands that end in every way."""

    @click.group(cls=type("Own", (cli.Commands,), {"get_command": click.Group.get_command}))
    def group():
        pass

    @group.command()
    @click.option("--how", type=int)
    def run(how):
        if how == 1:
            return 1
        if how == 2:
            raise DataError("x ranges over [-2, 2]")
        if how == 3:
            raise ZeroDivisionError("division by zero")
        if how == 4:
            raise click.FileError("a", "not there")
        if how == 5:
            raise KeyboardInterrupt
        if how == 6:
            sys.exit(7)
        return None

    @group.command()
    @answers
    def ask():
        print("noise of a plugin")
        return Answer(value={"a": "ä"}, show=lambda: click.echo("for people"), code=1)

    return group


def test_what_a_library_writes_past_python_does_not_reach_the_json(capfd):
    @click.command()
    @answers
    def ask():
        os.write(1, b"noise in C\n")
        return Answer(value={"a": 1}, show=lambda: None)

    ask(["--json"], standalone_mode=False)
    out, err = capfd.readouterr()
    assert json.loads(out) == {"a": 1}
    assert err == "noise in C\n"


def called(group, *arguments, **variables):
    return CliRunner().invoke(group, arguments, env=variables)


@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        ("0", 0, ""),
        ("1", 1, ""),
        ("2", 2, "DataError: x ranges over [-2, 2]\n"),
        ("3", 3, "ZeroDivisionError: division by zero. ARMOUR_DEBUG=1 shows the traceback."),
        ("4", 2, "not there"),
        ("5", 130, "Interrupted."),
        ("6", 3, "A defect in armour or in a plugin: SystemExit: 7"),
        ("x", 2, "is not a valid integer"),
    ],
)
def test_every_end_has_its_status_and_a_message_without_traceback(group, how, code, told):
    done = called(group, "run", "--how", how, ARMOUR_DEBUG=None)
    assert done.exit_code == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("how", "code"), [("2", 2), ("3", 3)])
def test_a_traceback_is_shown_on_request(group, how, code):
    done = called(group, "run", "--how", how, ARMOUR_DEBUG="1")
    assert "Traceback" in done.stderr
    assert "ARMOUR_DEBUG" not in done.stderr
    assert done.exit_code == code


def test_with_json_nothing_else_reaches_standard_output(group):
    done = called(group, "ask", "--json")
    assert json.loads(done.stdout) == {"a": "ä"}
    assert "noise of a plugin" in done.stderr
    assert done.exit_code == 1
    assert called(group, "ask").stdout == "noise of a plugin\nfor people\n"


def test_a_command_that_does_not_exist_is_told_with_the_nearest_one():
    done = called(main, "lst")
    assert done.exit_code == 2
    assert "There is no command 'lst'. Did you mean list?" in done.stderr


@pytest.mark.parametrize("arguments", [["list", "--wrong"], ["show"], ["--wrong"], ["list", "a", "b"]])
def test_wrong_usage_is_2(arguments):
    assert called(main, *arguments).exit_code == 2


def test_the_version():
    assert called(main, "--version").stdout == f"armour {cli.__version__}\n"


def test_help_names_every_file_of_the_package_and_imports_none():
    source = (
        "import sys\n"
        "from armour_core.cli import main, _FILES\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    commands = {f'armour_core.cli.{path.stem}' for path in _FILES.values()}\n"
        "    print('imported:', *sorted(commands & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    for name in ("list", "show", "plugins", "check", "doctor", "new"):
        assert f"\n  {name} " in done.stdout
    assert done.stdout.endswith("imported:\n"), done.stderr


def test_every_command_is_what_its_file_says():
    for name, path in cli._FILES.items():
        command = main.get_command(click.Context(main), name)
        assert command.name == name
        assert command.help
        assert path.stem.rstrip("_").replace("_", "-") == name


def test_a_distribution_adds_commands_and_cannot_take_over_armours_own(monkeypatch):
    monkeypatch.setattr(main, "commands", {})

    def add(hook, cli):
        assert hook == "armour_add_commands"
        for name in ("weave", "list"):
            cli.add_command(click.Command(name, callback=lambda: click.echo("theirs"), help="Weave a net."))

    monkeypatch.setattr("armour_core.registry.observe", add)
    assert called(main, "weave").stdout == "theirs\n"
    assert "theirs" not in called(main, "list", "--help").stdout
    helped = called(main, "--help").stdout
    assert "weave" in helped
    assert "Weave a net." in helped
    assert helped.count("\n  list ") == 1


# ---- tables


def test_a_table_is_never_cut_where_there_is_no_terminal():
    long = "x" * 500

    @click.command()
    def command():
        table(("a", "b"), [("1", long), ("[red]2", "")], title="Title")
        facts((("name", "value"), ("left out", ""), ("n", "[bold]")))

    lines = called(command).stdout.splitlines()
    assert lines == ["Title", "a       b", f"1       {long}", "[red]2", "name  value", "n     [bold]"]


def test_a_table_on_a_terminal_shows_cells_as_they_are(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    table(("a", "b"), [("[red]1", "y")], title="Title")
    assert "[red]1" in capsys.readouterr().out


def test_a_table_on_a_narrow_terminal_never_cuts_the_name_that_is_typed_next(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("TERM", "dumb")
    rows = [("attack:hopskipjump", "a long summary " * 6, "many tags " * 6), ("attack:pgd", "short", "")]
    table(("id", "summary", "tags"), rows)
    out = capsys.readouterr().out
    assert "attack:hopskipjump" in out
    assert "…" not in out


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    source = (
        "import sys, click\n"
        "from armour_core.cli import Commands\n"
        "@click.group(cls=Commands)\n"
        "def group(): pass\n"
        "group.add_command(click.Command('many', callback=lambda: [click.echo('x' * 1000) for _ in range(1000)]))\n"
        "group(['many'])\n"
    )
    done = subprocess.run(
        f'set -o pipefail; {sys.executable} -c "$SOURCE" | head -n 1',
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env={"SOURCE": source, "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stderr == ""
    assert done.returncode == 141
