"""What an object is made of, read from names alone: nothing is imported to find out."""

import functools
from collections.abc import Iterator
from inspect import getattr_static
from itertools import islice
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_DEPTH = 3  # how far functions that call functions are followed
_FEW = 100  # of a container's items: a data set in a global is not searched
_EMPTY = CellType()
_LIBRARIES = ("torch", "tensorflow", "keras", "tf_keras", "jax", "sklearn", "numpy", "scipy", "builtins")

TAKES_ARRAYS = frozenset(("from_numpy", "numpy", "predict", "predict_on_batch", "predict_proba", "decision_function"))
"""Names whose use inside a function says that NumPy arrays go in or come out, whatever it computes with."""


def lineage(net: object) -> tuple[str, ...]:
    """`module.Class` of each class in the MRO, nearest first."""
    return tuple(f"{c.__module__}.{c.__qualname__}" for c in type(net).__mro__)


def within(net: object, *prefixes: str) -> bool:
    """Whether some class in the MRO lies in one of these packages (or is one of these `module.Class` names)."""
    return any(name == p or name.startswith(p + ".") for name in lineage(net) for p in prefixes)


def captured(function: object) -> list[Any]:
    """What a callable reaches: its closure, the globals that it names, bound and default arguments, its instance's
    attributes; through the functions among these, a few levels deep.
    """
    found: dict[int, Any] = {}
    _collect(function, found, _DEPTH)
    found.pop(id(function), None)
    return list(found.values())


def frameworks(function: object) -> frozenset[str]:
    """Top-level packages of what a callable reaches: `{"torch", "numpy"}`."""
    packages: set[str] = set()
    for thing in (function, *captured(function)):
        if isinstance(thing, ModuleType):
            packages.add(thing.__name__)
        else:
            packages.add(getattr(thing, "__module__", None) or "")
            packages.update(c.__module__ for c in (thing if isinstance(thing, type) else type(thing)).__mro__)
    return frozenset(p.partition(".")[0] for p in packages if p)


def takes_arrays(function: object) -> bool:
    """Whether a callable's own code converts from or to NumPy, or is a `predict` of some object."""
    if isinstance(function, MethodType) and function.__name__ in TAKES_ARRAYS:
        return True
    return any(TAKES_ARRAYS.intersection(_names(code)) for code in _codes(function))


def _codes(function: object) -> Iterator[CodeType]:
    if isinstance(function, functools.partial):
        yield from _codes(function.func)
    elif isinstance(function, MethodType):
        yield from _codes(function.__func__)
    elif isinstance(function, FunctionType):
        yield function.__code__
    elif call := _method(function):
        yield call.__code__


def _method(thing: object) -> FunctionType | None:
    """The `__call__` that a class written in Python gives its objects."""
    call = getattr_static(type(thing), "__call__", None)
    return call if isinstance(call, FunctionType) else None


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


def _collect(thing: Any, found: dict[int, Any], depth: int) -> None:
    if id(thing) in found or isinstance(thing, str | bytes | int | float | complex | None):
        return
    found[id(thing)] = thing
    if depth == 0 or _of_a_library(thing):
        return
    for reached in _reached(thing):
        _collect(reached, found, depth - 1)


def _of_a_library(thing: Any) -> bool:
    """Whether looking inside would only show a library's own machinery: its functions, networks and tensors."""
    if isinstance(thing, FunctionType):
        return (thing.__module__ or "").partition(".")[0] in _LIBRARIES
    if isinstance(thing, functools.partial | MethodType | list | tuple | dict):
        return False
    return any(c.__module__.partition(".")[0] in _LIBRARIES and c is not object for c in type(thing).__mro__)


def _reached(thing: Any) -> Iterator[Any]:
    if isinstance(thing, functools.partial):
        yield thing.func
        yield from thing.args
        yield from thing.keywords.values()
    elif isinstance(thing, MethodType):
        yield thing.__self__
        yield thing.__func__
    elif isinstance(thing, FunctionType):
        yield from (cell.cell_contents for cell in thing.__closure__ or () if cell != _EMPTY)
        yield from (thing.__globals__[n] for n in _names(thing.__code__) if n in thing.__globals__)
        yield from thing.__defaults__ or ()
        yield from (thing.__kwdefaults__ or {}).values()
        if hasattr(thing, "__wrapped__"):
            yield thing.__wrapped__
    elif isinstance(thing, list | tuple):
        yield from thing[:_FEW]
    elif isinstance(thing, dict):
        yield from islice(thing.values(), _FEW)
    elif not isinstance(thing, type | ModuleType) and (call := _method(thing)):
        yield call
        yield from getattr(thing, "__dict__", {}).values()
