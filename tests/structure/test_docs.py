"""The documentation speaks of what is there: links lead somewhere, targets and commands exist, examples run."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import armour_core as armour
from armour_core import registry
from armour_core.cli import main
from armour_core.testing import run_checks

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What headings are called in links, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = (page.parent / path) if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@each_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    code = " ".join([*blocks(page, "sh"), *re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))])
    assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= targets


@each_page
def test_commands_exist(page: Path) -> None:
    code = " ".join([*blocks(page, "sh"), *re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))])
    for command in set(re.findall(r"(?:^|[\s`])armour ([a-z][a-z-]*)\b", code)):
        assert main.get_command(None, command) is not None, command


@each_page
def test_python_examples_parse(page: Path) -> None:
    for code in blocks(page, "python"):
        if "->" not in code.split("\n")[0]:  # a line of signatures is no code
            ast.parse(code)


@pytest.fixture
def namespace() -> dict[str, Any]:
    """What an example may take as given: a network and data, in bounds (0, 1)."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    x = np.random.default_rng(0).random((16, 1, 12, 12), dtype=np.float32)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 3))
    y = net(torch.from_numpy(x)).argmax(1).numpy()
    return {"__name__": "example", "net": net, "x": x, "y": y}


def test_readme_example_runs(
    namespace: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(blocks(ROOT / "README.md", "python")[0], namespace)
    assert "robust accuracy" in capsys.readouterr().out
    assert namespace["adversarial"].shape == namespace["x"].shape
    assert (tmp_path / "report.html").stat().st_size > 0


EXAMPLES = [("README.md", "SignFlip"), ("docs/writing-plugins.md", "Sketch")]


@pytest.fixture(params=EXAMPLES, ids=lambda example: example[1])
def example_attack(request: pytest.FixtureRequest, namespace: dict[str, Any]) -> Iterator[Any]:
    """An attack from the pages, registered as a notebook does it."""
    page, name = request.param
    code = [b for b in blocks(ROOT / page, "python") if f"class {name}" in b or f'name="{name.lower()}",  #' in b]
    exec("\n".join(code), namespace)
    (spec,) = namespace["armour_specs"]()
    armour.register(namespace[name], kind="attack", name=spec.name, tags=spec.tags, needs=spec.needs)
    yield namespace[name]
    registry.refresh()


def test_example_attack_runs(example_attack: Any, namespace: dict[str, Any]) -> None:
    model = armour.wrap(namespace["net"], bounds=(0, 1))
    result = armour.run_attack(example_attack(), model, namespace["x"], namespace["y"], eps=0.1, seed=0)
    change = np.abs(result.x_adv() - namespace["x"])
    assert 0 < change.max() <= 0.1 + 1e-6


def test_example_attack_keeps_the_contract(example_attack: Any) -> None:
    results = run_checks(f"attack:{example_attack.__name__.lower()}", backends=["torch"])
    assert len(results) > 10
    assert not [result for result in results if not result.passed]


def test_example_loss_runs(namespace: dict[str, Any]) -> None:
    (code,) = (block for block in blocks(ROOT / "docs/writing-plugins.md", "python") if "class MeanMargin" in block)
    exec(code, namespace)
    backend = armour.wrap(namespace["net"], bounds=(0, 1)).backend
    logits = np.array([[3.0, 0.0, 0.0], [0.0, 0.0, 3.0]], dtype=np.float32)
    goal = armour.Untargeted(backend.asarray(np.array([0, 0], dtype=np.int32)), backend.xp)
    values = namespace["MeanMargin"]()(backend.asarray(logits), goal, backend=backend)
    assert backend.to_numpy(values).tolist() == [-2.0, 1.0]


def test_decisions_are_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text("utf-8")))
    assert listed == {path.name for path in folder.glob("0*.md")}
