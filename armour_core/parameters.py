"""The settings of a plugin as a person reads them: default, what is accepted, the comment beside the field."""

import ast
import inspect
import io
import textwrap
import tokenize
from collections.abc import Callable
from typing import Any

import attrs

from armour_core.fields import ACCEPTS

REQUIRED = attrs.NOTHING
"""The default of a setting that has none."""


@attrs.frozen(kw_only=True)
class Parameter:
    """One setting of a plugin."""

    name: str
    default: Any  #: REQUIRED where there is none
    type: str = ""  #: the annotation, as written
    accepts: str = ""  #: in words, where a helper of `armour_core.fields` declares it
    doc: str = ""  #: the `#:` comment beside it, or the string below it


def parameters(made_by: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The settings that a plugin class or factory accepts, in order."""
    if not (isinstance(made_by, type) and attrs.has(made_by)):
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return tuple(
            Parameter(
                name=name,
                default=REQUIRED if parameter.default is parameter.empty else parameter.default,
                type="" if parameter.annotation is parameter.empty else inspect.formatannotation(parameter.annotation),
            )
            for name, parameter in inspect.signature(made_by).parameters.items()
            if parameter.kind in named
        )
    written: dict[str, tuple[str, str]] = {}
    for owner in reversed(made_by.__mro__):
        written |= _written(owner)
    return tuple(
        Parameter(
            name=field.alias,
            default=_default(field),
            type=written.get(field.name, ("", ""))[0],
            accepts=field.metadata.get(ACCEPTS, ""),
            doc=written.get(field.name, ("", ""))[1],
        )
        for field in attrs.fields(made_by)
        if field.init
    )


def _default(field: "attrs.Attribute[Any]") -> Any:
    made: Any = field.default
    if not hasattr(made, "takes_self"):
        return made
    return _Computed() if made.takes_self else made.factory()


class _Computed:
    """Stands for a default that depends on other settings."""

    def __repr__(self) -> str:
        return "from the other settings"


def _written(owner: type) -> dict[str, tuple[str, str]]:
    """Annotation and documentation of the fields in a class body; nothing where its source is not to be had."""
    try:
        source = textwrap.dedent(inspect.getsource(owner))
    except (OSError, TypeError):
        return {}
    tree = ast.parse(source).body[0]
    comments = _comments(source)
    found = {}
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for statement, following in zip(body, [*body[1:], None]):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            doc = _beside(statement, comments) or _above(statement, comments) or _below(following)
            found[statement.target.id] = (ast.unparse(statement.annotation), doc)
    return found


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """`#:` comments by line: the text, and whether the line holds nothing else."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: (token.string[2:].strip(), token.line.lstrip().startswith("#:"))
        for token in tokens
        if token.type == tokenize.COMMENT and token.string.startswith("#:")
    }


def _beside(statement: ast.stmt, comments: dict[int, tuple[str, bool]]) -> str:
    lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    return " ".join(comments[line][0] for line in lines if line in comments)


def _above(statement: ast.stmt, comments: dict[int, tuple[str, bool]]) -> str:
    texts: list[str] = []
    line = statement.lineno - 1
    while line in comments and comments[line][1]:
        texts.insert(0, comments[line][0])
        line -= 1
    return " ".join(texts)


def _below(following: ast.stmt | None) -> str:
    if (
        isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
        and isinstance(following.value.value, str)
    ):
        return " ".join(following.value.value.split())
    return ""
