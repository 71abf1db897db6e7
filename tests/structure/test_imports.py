"""The house rules that can be read off the source: who imports whom, and what nobody does.

plugins → armour_core ← backends. Each rule is a function from a module's syntax tree to its offences; each has a
planted offender that it must catch and an innocent that it must pass.
"""

import ast
import functools
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "armour_core": ROOT / "armour_core",
    "armour_plugins": ROOT / "plugins" / "armour_plugins",
    "armour_backends": ROOT / "backends" / "armour_backends",
}

FAMILIES = sorted(PACKAGES["armour_plugins"].glob("*/__init__.py"))

FORBIDDEN = {
    "armour_core": {"armour_plugins", "armour_backends"},
    "armour_plugins": {"armour_backends"},
    "armour_backends": {"armour_plugins"},
}
NEVER = {"plugins", "backends", "tests", "benchmarks"}  # folders, not packages

FRAMEWORKS = {"torch", "torchvision", "tensorflow", "keras", "tf_keras", "jax", "jaxlib", "array_api_compat"}
OWN = {  # what a backend's modules may import, besides NumPy
    "numpy": set(),
    "torch": {"torch", "array_api_compat", "keras"},
    "tensorflow": {"tensorflow", "keras"},
}
LATE_FRAMEWORKS: dict[str, set[str]] = {}  #: module -> frameworks that its functions may import, each with its reason

UNPICKLERS = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
UNPICKLING: dict[str, set[str]] = {}  #: module -> what it may use all the same, each with its reason

GUESSING: dict[str, set[str]] = {  #: module -> functions in which an error only means that a guess did not fit
    "armour_core.network": {"likely_cause"},  # which other shape would the network have taken?
}

VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}

Offence = tuple[int, str]
Rule = Callable[[str, ast.Module], Iterator[Offence]]


# ---- reading


def source_files() -> list[tuple[str, Path]]:
    """Every module of the three packages: its importable name and its file."""
    return [
        (".".join([package, *path.relative_to(folder).with_suffix("").parts]), path)
        for package, folder in PACKAGES.items()
        for path in sorted(folder.rglob("*.py"))
    ]


def imports(module: str, tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Line, absolute dotted name, and whether it runs on import of the module. Import by string constant counts."""
    inside = {node for function in functions(tree) for node in ast.walk(function)}
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            parent = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{parent}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__", "importorskip"):
            names = [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        for name in names:
            yield node.lineno, name, node not in inside


def functions(tree: ast.AST) -> Iterator[ast.AST]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def called(node: ast.Call) -> str:
    """The last name of what is called: `load` for `np.load(...)`."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


# ---- the rules


def direction(module: str, tree: ast.Module) -> Iterator[Offence]:
    """Plugins → armour_core ← backends, and the folders are no packages."""
    for line, name, _ in imports(module, tree):
        root = name.split(".")[0]
        if root in FORBIDDEN[module.split(".")[0]] | NEVER:
            yield line, f"{module.split('.')[0]} must not import {root}"


def frameworks(module: str, tree: ast.Module) -> Iterator[Offence]:
    """Core and plugins name no framework; a backend names its own, and not in an `__init__`, which listing imports."""
    package, *rest = module.split(".")
    if package == "armour_backends" and rest[-1] != "__init__":
        allowed = OWN.get(rest[0], set())
    else:
        allowed = set()
    for line, name, on_import in imports(module, tree):
        root = name.split(".")[0]
        late = set() if on_import else LATE_FRAMEWORKS.get(module, set())
        if root in FRAMEWORKS - allowed - late:
            yield line, f"{module} must not import {root}"


def scikit_learn(module: str, tree: ast.Module) -> Iterator[Offence]:
    """Optional: imported inside functions of plugins whose Spec says `extra="demo"`, and of its models' backend."""
    for line, name, on_import in imports(module, tree):
        if name.split(".")[0] == "sklearn":
            if on_import:
                yield line, "scikit-learn is imported inside functions only"
            elif not module.startswith("armour_backends.numpy.") and module not in needing_demo():
                yield line, f'no Spec with extra="demo" has its target in {module}'


@functools.cache
def needing_demo() -> frozenset[str]:
    """Modules that are the target of a built-in Spec with `extra="demo"`."""
    families = [importlib.import_module(f"armour_plugins.{path.parent.name}") for path in FAMILIES]
    specs = [spec for family in families if hasattr(family, "armour_specs") for spec in family.armour_specs()]
    return frozenset(spec.target.split(":")[0] for spec in specs if spec.extra == "demo")


def code_from_data(module: str, tree: ast.Module) -> Iterator[Offence]:
    """Nothing that runs what a file says: no unpickling, no eval."""
    allowed = UNPICKLING.get(module, set())
    for line, name, _ in imports(module, tree):
        if (root := name.split(".")[0]) in UNPICKLERS - allowed:
            yield line, f"{root} runs code from data"
    for call in calls(tree):
        keywords = {k.arg: getattr(k.value, "value", ...) for k in call.keywords}
        function = ast.unparse(call.func)
        if function in {"eval", "exec", "compile", "__import__"} - allowed:
            yield call.lineno, f"{function}() runs code from data"
        if function in ("np.load", "numpy.load") and keywords.get("allow_pickle", False) is not False:
            yield call.lineno, "np.load(allow_pickle=True) unpickles"
        if function == "torch.load" and keywords.get("weights_only") is not True:
            yield call.lineno, "torch.load without weights_only=True unpickles"
        if function in ("yaml.load", "yaml.unsafe_load"):
            yield call.lineno, f"{function} runs code from data: yaml.safe_load"


def printing(module: str, tree: ast.Module) -> Iterator[Offence]:
    """Only the command line talks to the terminal."""
    if not module.startswith("armour_core.cli"):
        yield from (
            (c.lineno, "print() outside the command line") for c in calls(tree) if ast.unparse(c.func) == "print"
        )


def swallowing(module: str, tree: ast.Module) -> Iterator[Offence]:
    """No bare `except:`; no broad `except` that forgets the error."""
    guessing = {
        node
        for function in functions(tree)
        if getattr(function, "name", "") in GUESSING.get(module, ())
        for node in ast.walk(function)
    }
    for node in set(ast.walk(tree)) - guessing:
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield node.lineno, "bare except:"
            elif broad(node.type) and all(forgets(statement) for statement in node.body):
                yield node.lineno, "except Exception: pass"
        elif isinstance(node, ast.Call) and called(node) == "suppress" and any(broad(a) for a in node.args):
            yield node.lineno, "suppress(Exception)"


def broad(node: ast.expr) -> bool:
    names = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(ast.unparse(name) in ("Exception", "BaseException") for name in names)


def forgets(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass | ast.Continue) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


RULES: tuple[Rule, ...] = (direction, frameworks, scikit_learn, code_from_data, printing, swallowing)


# ---- the house obeys


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_module_breaks(rule: Rule) -> None:
    offences = [
        f"{path.relative_to(ROOT)}:{line}: {message}"
        for module, path in source_files()
        for line, message in rule(module, ast.parse(path.read_text("utf-8")))
    ]
    assert not offences, "\n".join(["", *offences])


def test_no_module_has_a_vague_name() -> None:
    assert not [str(path.relative_to(ROOT)) for _, path in source_files() if path.stem in VAGUE]


def test_allow_lists_name_modules_that_exist() -> None:
    modules = {module for module, _ in source_files()}
    assert modules >= LATE_FRAMEWORKS.keys() | UNPICKLING.keys() | GUESSING.keys()


# ---- the rules see

PLANTED = [
    (direction, "armour_core.a", "from armour_plugins.attacks import pgd"),
    (direction, "armour_core.a", "def f():\n    import armour_backends.torch"),
    (direction, "armour_core.a", "importlib.import_module('armour_backends.torch')"),
    (direction, "armour_plugins.attacks.a", "from armour_backends import torch"),
    (direction, "armour_backends.torch.a", "import armour_plugins"),
    (direction, "armour_plugins.attacks.a", "from plugins.armour_plugins import attacks"),
    (frameworks, "armour_core.a", "import torch.nn as nn"),
    (frameworks, "armour_core.a", "def f():\n    from tensorflow import function"),
    (frameworks, "armour_core.a", "if TYPE_CHECKING:\n    import torch"),
    (frameworks, "armour_plugins.attacks.a", "import jax"),
    (frameworks, "armour_backends.torch.__init__", "import torch"),
    (frameworks, "armour_backends.torch.model", "import tensorflow"),
    (frameworks, "armour_backends.__init__", "def f():\n    import keras"),
    (scikit_learn, "armour_plugins.datasets.a", "from sklearn.datasets import load_digits"),
    (scikit_learn, "armour_core.a", "def f():\n    import sklearn"),
    (scikit_learn, "armour_backends.torch.model", "def f():\n    import sklearn"),
    (code_from_data, "armour_core.a", "import pickle"),
    (code_from_data, "armour_core.a", "def f():\n    from joblib import load"),
    (code_from_data, "armour_core.a", "eval('1')"),
    (code_from_data, "armour_core.a", "np.load(path, allow_pickle=True)"),
    (code_from_data, "armour_core.a", "np.load(path, allow_pickle=flag)"),
    (code_from_data, "armour_backends.torch.a", "torch.load(path)"),
    (printing, "armour_core.engine.a", "print('done')"),
    (swallowing, "armour_core.a", "try:\n    f()\nexcept:\n    raise"),
    (swallowing, "armour_core.a", "try:\n    f()\nexcept Exception:\n    pass"),
    (
        swallowing,
        "armour_core.a",
        "while b:\n    try:\n        f()\n    except (OSError, Exception):\n        continue",
    ),
    (swallowing, "armour_core.a", "with contextlib.suppress(Exception):\n    f()"),
]

INNOCENT = [
    (direction, "armour_plugins.attacks.a", "from armour_core import Spec\nfrom . import pgd"),
    (direction, "armour_core.a", "importlib.import_module(target)"),
    (frameworks, "armour_backends.torch.model", "import torch"),
    (frameworks, "armour_backends.tensorflow.model", "def f():\n    import keras"),
    (frameworks, "armour_core.a", "import numpy\nfrom .torch import x"),
    (scikit_learn, "armour_backends.numpy.model", "def f():\n    import sklearn"),
    (scikit_learn, "armour_plugins.datasets.digits", "def f():\n    import sklearn"),
    (
        swallowing,
        "armour_core.network",
        "def likely_cause():\n    try:\n        f()\n    except Exception:\n        pass",
    ),
    (code_from_data, "armour_core.a", "re.compile('a')\nbackend.compile(f)\nnp.load(path, allow_pickle=False)"),
    (code_from_data, "armour_backends.torch.a", "torch.load(path, weights_only=True)"),
    (printing, "armour_core.cli.show", "print('done')"),
    (swallowing, "armour_core.a", "try:\n    f()\nexcept Exception as error:\n    failures.append(error)"),
    (swallowing, "armour_core.a", "with contextlib.suppress(FileNotFoundError):\n    f()"),
]


@pytest.mark.parametrize(("rule", "module", "code"), PLANTED)
def test_planted_offence_is_caught(rule: Rule, module: str, code: str) -> None:
    assert list(rule(module, ast.parse(code)))


@pytest.mark.parametrize(("rule", "module", "code"), INNOCENT)
def test_innocent_code_passes(rule: Rule, module: str, code: str) -> None:
    assert not list(rule(module, ast.parse(code)))
