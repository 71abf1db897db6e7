"""The neutral subset: what an algorithm may write so that one source runs on every backend.

1. functions, not methods: `xp.sum(x)`, not `x.sum()`; of attributes only `.shape`, `.ndim`, `.dtype`;
2. nothing is changed in place: `xp.where`, not `x[rows] = y` or `x += y`;
3. `xp.take` and `xp.take_along_axis`, no indexing by tensors, lists or masks;
4. casts and host values are explicit: `xp.astype`, not `float(x)` or `int(x)`;
5. only names that every backend promises, and of shapes that do not depend on values;
6. no Python decision on a tensor's value, and none on which backend it is.

Read off the source, so not all of it: a name counts as a tensor when it is seen to come from one (`p.x`, `state[...]`,
`xp.*`, `p.grad`, a draw, arithmetic on these) or is a parameter with a usual name. What slips through here, the
conformance kit finds by running it.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from armour_core.protocols.backend import NAMESPACE

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins" / "armour_plugins"
NEUTRAL = ("attacks", "losses")  #: family packages whose modules are written in the subset
CORE = ("norms.py", "functional.py")  #: modules of the core that run inside attacks

STATIC = {"shape", "ndim", "dtype"}
OWN_METHODS = {"xp", "np", "numpy", "math", "backend", "norm", "goal", "rng", "p", "problem", "model", "self", "cls"}
_METHODS = """
    sum mean max min std var prod any all argmax argmin argsort abs sign sqrt exp log norm clamp clip clone detach numpy
    cpu cuda to item tolist astype float double half long int bool type cast reshape view flatten ravel squeeze
    unsqueeze expand repeat permute transpose swapaxes gather scatter topk backward requires_grad_ assign set_shape fill
"""
TENSOR_METHODS = set(_METHODS.split())
OF_PROBLEM = {"x", "clean", "eps", "enough", "index", "live", "left"}
MADE_BY = {  # receiver -> its functions that return tensors
    "xp": NAMESPACE - {"isdtype", "finfo", "result_type"},
    "p": {"query", "margin", "success", "grad", "jacobian", "inside", "distance", "wide", "where"},
    "norm": {"size", "project", "inside", "steepest", "extreme", "sample"},
    "goal": {"margin"},
    "backend": {"stop_gradient", "select", "cross_entropy", "asarray", "mix"},
}
MADE_BY["problem"] = MADE_BY["p"]
DRAWS = {"uniform", "normal", "integers", "permutation"}
USUAL = {"x", "z", "g", "d", "delta", "grad", "gradient", "logits", "outputs", "labels", "eps", "rows", "mask"}
CASTS = {"float", "int", "bool", "complex"}
ITERATING = {"sum", "min", "max", "any", "all", "len", "list", "tuple", "sorted", "range", "zip", "enumerate", "round"}

Offence = tuple[int, int, str]  #: line, rule, what to write instead


def last_name(node: ast.expr) -> str:
    """`x` of `x` and of `p.x`; '' of anything else."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def text(node: ast.AST) -> str:
    return ast.unparse(node).split("\n")[0][:60]


class Tensors:
    """Which expressions of one outermost function are tensors, as far as seen. Nested functions share its names."""

    def __init__(self, function: ast.AST, *, traceable: bool, makers: set[str]):
        """makers: names of imported functions that return tensors."""
        self.names: set[str] = set()
        self.makers = makers
        for node in ast.walk(function):
            if isinstance(node, ast.FunctionDef | ast.Lambda):
                arguments = [a.arg for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
                self.names |= USUAL.intersection(arguments)
                if getattr(node, "name", "") == "step" and traceable:
                    self.names |= {"k"}.intersection(arguments)
        before = -1
        while before < len(self.names):
            before = len(self.names)
            for node in ast.walk(function):
                self.bind(node)

    def bind(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self.assign(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value:
            self.assign(node.target, node.value)
        elif isinstance(node, ast.For | ast.comprehension):
            iterator = node.iter
            if isinstance(iterator, ast.Call) and last_name(iterator.func) in ("values", "items"):
                if self.state(iterator.func.value):
                    value = node.target
                    self.mark(value.elts[-1] if isinstance(value, ast.Tuple) else value)
            elif iterator in self:
                self.mark(node.target)

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for left, right in zip(target.elts, value.elts, strict=True):
                self.assign(left, right)
        elif value in self:
            self.mark(target)

    def mark(self, target: ast.expr) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.names.add(node.id)

    @staticmethod
    def state(node: ast.expr) -> bool:
        return last_name(node) == "state"

    def __contains__(self, node: ast.expr | None) -> bool:
        match node:
            case ast.Name():
                return node.id in self.names
            case ast.Attribute():
                owner = last_name(node.value)
                if owner in ("p", "problem") or (owner, node.attr) == ("goal", "labels"):
                    return node.attr in OF_PROBLEM or node.attr == "labels"
                return node.attr not in STATIC and node.value in self
            case ast.Subscript():
                return self.state(node.value) or node.value in self
            case ast.Call():
                return self.made(node)
            case ast.BinOp():
                return node.left in self or node.right in self
            case ast.UnaryOp():
                return node.operand in self
            case ast.Compare():
                compared = not any(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops)
                return compared and any(each in self for each in [node.left, *node.comparators])
            case ast.BoolOp():
                return any(value in self for value in node.values)
            case ast.IfExp():
                return node.body in self or node.orelse in self
            case ast.Tuple() | ast.List():
                return any(element in self for element in node.elts)
            case ast.NamedExpr() | ast.Starred():
                return node.value in self
        return False

    def made(self, node: ast.Call) -> bool:
        if isinstance(node.func, ast.Attribute):
            name, owner = node.func.attr, last_name(node.func.value)
            return name in DRAWS or name in MADE_BY.get(owner, ()) or node.func.value in self
        name = last_name(node.func)
        return name in self.makers or (name == "abs" and any(argument in self for argument in node.args))


def offences(source: str) -> list[Offence]:
    """What a module of plugins writes that is not neutral."""
    tree = ast.parse(source)
    modules, makers = set(), set()
    found: list[Offence] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            roots = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if roots == ["armour_core.functional"]:
                makers |= {alias.asname or alias.name for alias in node.names}
            if any(root.split(".")[0] == "numpy" for root in roots):
                found.append((node.lineno, 5, "NumPy is one backend of several: take xp from the problem"))
    for function, traceable in outermost(tree):
        tensors = Tensors(function, traceable=traceable, makers=makers)
        python = Python(function, modules)
        types = annotations(function)
        for node in ast.walk(function):
            for rule, advice in judge(node, tensors, python) if node not in types else ():
                found.append((node.lineno, rule, advice))
    return sorted(set(found))


def outermost(tree: ast.Module) -> Iterator[tuple[ast.AST, bool]]:
    """Functions and methods that are in no other function, and whether their class is traced."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node, True
        elif isinstance(node, ast.ClassDef):
            eager = any(
                isinstance(line, ast.Assign | ast.AnnAssign)
                and "traceable" in ast.unparse(line).split("=")[0]
                and ast.unparse(line).endswith("= False")
                for line in node.body
            )
            yield from ((method, not eager) for method in node.body if isinstance(method, ast.FunctionDef))


def annotations(function: ast.AST) -> set[ast.AST]:
    """Everything that is written as a type."""
    types = [getattr(node, name, None) for node in ast.walk(function) for name in ("annotation", "returns")]
    return {node for type_ in types if type_ for node in ast.walk(type_)}


class Python:
    """Names of a function that are seen to be no tensors, by all that is assigned to them."""

    def __init__(self, function: ast.AST, modules: set[str]):
        values: dict[str, list[ast.expr]] = {}
        for node in ast.walk(function):
            for target in node.targets if isinstance(node, ast.Assign) else ():
                if isinstance(target, ast.Name):
                    values.setdefault(target.id, []).append(node.value)

        def those(test: Callable[[ast.expr], bool]) -> set[str]:
            return {name for name, assigned in values.items() if all(map(test, assigned))}

        self.numbers = those(lambda value: isinstance(value, ast.Constant | ast.List))  #: counting with += is theirs
        self.containers = those(makes_container)
        self.objects = modules | those(makes_object)  #: `plane = Plane(p)`: what it offers is its own to name


def makes_container(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):  # [1] * rank
        return makes_container(value.left) or makes_container(value.right)
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in ("list", "dict", "sorted")
    return isinstance(value, ast.List | ast.Dict | ast.ListComp | ast.DictComp)


def makes_object(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and last_name(value.func)[:1].isupper()


def hands_over(argument: ast.expr, tensors: Tensors) -> bool:
    """Whether this argument makes the call one of an object that works on tensors: `plane.sum(x)`."""
    return argument in tensors or last_name(argument) in ("rng", "p", "xp")


def judge(node: ast.AST, tensors: Tensors, python: Python) -> Iterator[tuple[int, str]]:
    match node:
        case ast.Call(func=ast.Attribute(attr=name, value=owner)):
            ours = last_name(owner) in OWN_METHODS | python.objects or any(hands_over(a, tensors) for a in node.args)
            if name == "to_numpy":
                yield 4, f"{text(node)}: no host transfer inside an algorithm"
            elif owner in tensors or (name in TENSOR_METHODS and not ours):
                yield 1, f"{text(node)}: a function of xp, not a method"
            if any(keyword.arg == "out" for keyword in node.keywords):
                yield 2, f"{text(node)}: out= writes in place"
        case ast.Call(func=ast.Name(id=name)):
            given = [argument for argument in node.args if argument in tensors]
            if name in CASTS and given:
                yield 4, f"{text(node)}: xp.astype, or leave it a tensor"
            elif name in ITERATING and given:
                yield 1, f"{text(node)}: a function of xp, or .shape"
            elif name in ("isinstance", "type") and (given or asks_framework(node)) and not asks_python(node):
                yield 6, f"{text(node)}: no plugin asks which backend it runs on"
        case ast.Attribute(ctx=ast.Load(), attr=name, value=owner):
            if last_name(owner) == "xp" and name not in NAMESPACE:
                yield 5, f"{text(node)}: not promised by every backend"
            elif name not in STATIC and owner in tensors and name not in TENSOR_METHODS:
                yield 1, f"{text(node)}: of attributes only .shape, .ndim, .dtype"
        case ast.AugAssign(target=target):
            counting = isinstance(target, ast.Name) and target.id in python.numbers
            if not counting and not isinstance(node.value, ast.Dict | ast.DictComp):
                yield 2, f"{text(node)}: in place; write a = a + b"
        case ast.Subscript(ctx=ast.Store() | ast.Del(), value=owner, slice=index):
            key = isinstance(index, ast.Constant) and isinstance(index.value, str)
            if not key and last_name(owner) not in python.containers:
                yield 2, f"{text(node)} = ...: xp.where, or p.where for whole rows"
        case ast.Subscript(ctx=ast.Load(), slice=index):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            for part in parts:
                bounds = [part.lower, part.upper, part.step] if isinstance(part, ast.Slice) else [part]
                if isinstance(part, ast.List) or any(bound in tensors for bound in bounds):
                    yield 3, f"{text(node)}: xp.take or xp.take_along_axis; a mask: xp.where"
        case ast.For(iter=iterator) | ast.comprehension(iter=iterator):
            if iterator in tensors:
                yield 1, f"for ... in {text(iterator)}: a tensor is not iterated"
    yield from decisions(node, tensors)


def asks_framework(node: ast.Call) -> bool:
    return bool(node.args) and last_name(node.args[0]) in ("backend", "model", "xp", "net")


def asks_python(node: ast.Call) -> bool:
    """`isinstance(eps, int | float)`: a setting that may be a plain number."""
    types = {last_name(name) for name in ast.walk(node.args[-1]) if isinstance(name, ast.Name | ast.Attribute)}
    return len(node.args) == 2 and types <= {"int", "float", "bool", "str", "tuple", "list", "dict", "Mapping"}


def decisions(node: ast.AST, tensors: Tensors) -> Iterator[tuple[int, str]]:
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test):
            tests = [test]
        case ast.comprehension(ifs=tests):
            pass
        case ast.BoolOp(values=[*tests, _]):
            pass
        case ast.UnaryOp(op=ast.Not(), operand=test):
            tests = [test]
        case ast.Compare(ops=[_, _, *_]):
            tests = [node]
        case ast.Match(subject=test):
            tests = [test]
        case _:
            tests = []
    for test in tests:
        if test in tensors:
            yield 6, f"a decision on {text(test)}: xp.where; to end an eager loop early, p.some"
    if isinstance(node, ast.Compare):
        for side in [node.left, *node.comparators]:
            if isinstance(side, ast.Attribute) and (last_name(side.value), side.attr) in BACKEND_FACTS:
                yield 6, f"{text(node)}: no plugin asks which backend it runs on"


BACKEND_FACTS = {("backend", "name"), ("backend", "device"), ("xp", "__name__"), ("backend", "static_shapes")}


# ---- the plugins obey


def neutral_files() -> list[Path]:
    plugins = [path for kind in NEUTRAL for path in sorted((PLUGINS / kind).glob("*.py")) if path.stem != "__init__"]
    return plugins + [ROOT / "armour_core" / name for name in CORE]


def test_there_are_neutral_files() -> None:
    assert {path.parent.name for path in neutral_files()} == {*NEUTRAL, "armour_core"}


@pytest.mark.parametrize("path", neutral_files(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_plugin_is_neutral(path: Path) -> None:
    found = [f"{path.name}:{line}: rule {rule}: {advice}" for line, rule, advice in offences(path.read_text("utf-8"))]
    assert not found, "\n".join(["", *found])


# ---- the rules see

PLANTED = [
    # 1. methods and attributes
    (1, "return p.x.sum()"),
    (1, "return xp.reshape(p.x.mean(), (1,))"),
    (1, "y = xp.abs(p.x)\nreturn y.clone()"),
    (1, "return state['x'].detach()"),
    (1, "return anything.astype(xp.float32)"),
    (1, "_, g = p.grad(p.x)\nreturn g.T"),
    (1, "return sum(p.x)"),
    (1, "n = len(state['x'])"),
    (1, "for row in p.x:\n    pass"),
    (1, "return rng.uniform(p.x.shape).reshape((3,))"),
    # 2. in place
    (2, "x = xp.abs(p.x)\nx[0] = 1"),
    (2, "x = xp.abs(p.x)\nx[..., 0] = x[..., 1]"),
    (2, "x = p.x\nx += 1"),
    (2, "state['x'] += 1"),
    (2, "state[name] = p.x"),
    (2, "del x[0]"),
    (2, "return xp.abs(p.x, out=y)"),
    # 3. indexing
    (3, "order = xp.argsort(p.eps)\nreturn p.x[order]"),
    (3, "return p.x[p.x > 0]"),
    (3, "return p.x[[0, 1]]"),
    (3, "return p.x[:, p.goal.labels]"),
    (3, "return p.x[:k]"),
    # 4. casts and the host
    (4, "return float(p.eps)"),
    (4, "return int(k)"),
    (4, "return p.backend.to_numpy(p.x)"),
    # 5. promised names, static shapes
    (5, "return xp.nonzero(p.x)"),
    (5, "return xp.linalg.norm"),
    (5, "import numpy as np"),
    (5, "from numpy import pi"),
    # 6. decisions
    (6, "if p.eps > 0:\n    pass"),
    (6, "done = xp.any(state['done'])\nif done:\n    pass"),
    (6, "while not p.success(p.x):\n    pass"),
    (6, "return 1 if k == 0 else 2"),
    (6, "assert xp.all(p.x > 0)"),
    (6, "return (p.x > 0) and (p.x < 1)"),
    (6, "return 0 < p.x < 1"),
    (6, "if isinstance(p.x, Tensor):\n    pass"),
    (6, "if type(p.backend) is Torch:\n    pass"),
    (6, "if p.backend.name == 'torch':\n    pass"),
]

INNOCENT = [
    "xp = p.xp\nreturn {'x': p.inside(state['x'] + p.eps * p.norm.steepest(g))}",
    "return xp.sum(xp.abs(p.x[:, :1, ..., None]), axis=-1)",
    "n = math.prod(p.x.shape[1:])\nif n > 3 and p.x.ndim == 4:\n    n = max(n, p.x.shape[0])",
    "size = p.eps * (self.rel_step or 2.5 / self.steps)",
    "if p.eps is None:\n    pass",
    "if p.goal.kind == 'targeted' and p.norm.name == 'l2':\n    pass",
    "if 'done' in state:\n    pass",
    "new = dict(state)\nnew['x'] = p.x\nreturn new",
    "count = 0\nfor i in range(self.tries):\n    count += 1",
    "parts = []\nfor i in range(3):\n    parts.append(rng.at(i).uniform(p.x.shape))\nreturn xp.stack(parts)",
    "return xp.take_along_axis(p.x, xp.argsort(p.x, axis=-1), axis=-1)",
    "lo, hi = p.model.bounds\nreturn min(hi - lo, 1.0)",
    "wide = tuple(int(n) for n in p.x.shape)\nreturn xp.astype(p.x, xp.float32)",
    "return rng.permutation((p.x.shape[0], 8))[:, :3]",
    "def f(x: dict[list[int], int]):\n    return -x\nreturn f(p.x)",
    "plane = Plane(p)\nreturn plane.sum(axis=1) + other.sum(p.x)",
    "shape = [1] * p.x.ndim\nshape[axis] = 3\nreturn xp.reshape(p.x, tuple(shape))",
    "new = dict(state)\nnew |= {'x': p.x}\nreturn new",
    "if isinstance(p.eps, int | float):\n    pass",
]

EAGER = "while p.some(~p.success(state['x'])):\n    pass\nif k % 2 == 0:\n    pass"


def method(body: str, *, before: str = "") -> str:
    lines = "\n".join("        " + line for line in body.split("\n"))
    head = f"class A:\n    {before or 'steps: int = 1'}\n    def step(self, p, state, k, rng):\n        xp = p.xp\n"
    return head + lines + "\n"


@pytest.mark.parametrize(("rule", "body"), PLANTED)
def test_planted_offence_is_caught(rule: int, body: str) -> None:
    assert rule in {found for _, found, _ in offences(method(body))}


@pytest.mark.parametrize("body", INNOCENT)
def test_innocent_code_passes(body: str) -> None:
    assert not offences("import math\n" + method(body))


def test_shared_functions_return_tensors() -> None:
    code = method("if row_sum(xp, p.x) > 0:\n    pass")
    assert not offences(code)
    assert offences("from armour_core.functional import row_sum\n" + code)


def test_untraced_step_counts_in_python() -> None:
    assert not offences(method(EAGER, before="traceable: ClassVar[bool] = False"))
    assert offences(method(EAGER))
