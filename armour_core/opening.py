"""Models and data by URI: `python:module:factory`, `digits`, `npz:PATH?x=images&y=labels`.

A data URI's scheme is the name of a dataset plugin, and what follows the `?` are its settings; other schemes are
offered to the hooks `armour_open_model` and `armour_open_data`. Objects in memory are taken as they are.
"""

import contextlib
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from attrs import evolve, frozen

from armour_core import registry
from armour_core.data import Dataset, check_labels
from armour_core.errors import ArmourError, ConfigError, DataError, UnknownPlugin
from armour_core.model import WrappedModel, wrap
from armour_core.protocols.model import Model


@frozen
class Uri:
    """A URI in its parts."""

    text: str
    scheme: str
    path: str
    settings: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> "Uri":
        """`scheme:path?key=value&key=value`; path and settings may be missing. Raises ConfigError for bad settings."""
        base, _, query = text.strip().partition("?")
        scheme, _, path = base.partition(":")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
        except ValueError:
            raise ConfigError(f"{text!r}: after the ? come settings as in npz:PATH?x=images&y=labels.") from None
        return cls(text.strip(), scheme, path, dict(pairs))


@frozen
class Opened:
    """A model and how it came to be."""

    model: WrappedModel
    uri: str  #: empty for a model that was given as an object
    notes: tuple[str, ...] = ()


def open_model(source: Any, **settings: Any) -> Opened:
    """The model at a URI, or `source` itself, wrapped with `settings` (see `wrap`) unless it is wrapped already.

    Raises ConfigError for a URI that names nothing, and whatever `wrap` raises.
    """
    uri = source if isinstance(source, str) else ""
    found = _open_model_uri(source) if isinstance(source, str) else source
    given = {key: value for key, value in settings.items() if value is not None}
    if isinstance(found, WrappedModel):
        ignored = (
            f"the model is wrapped already: its own settings hold, and {', '.join(given)} given beside it are not used"
        )
        return Opened(found, uri, (ignored,) if given else ())
    return Opened(wrap(found, **given), uri)


def open_data(source: Any) -> Dataset:
    """The data at a URI, or `(x, y)` from memory, with labels that are checked. Raises DataError, ConfigError."""
    if isinstance(source, Dataset):
        found = source
    elif isinstance(source, str):
        found = evolve(_open_data_uri(Uri.parse(source)), uri=source.strip())
    elif isinstance(source, tuple | list) and len(source) == 2:
        x, y = (_on_host(part) for part in source)
        found = Dataset(x=x, y=y, name="data in memory")
    else:
        raise DataError(f"data is a {type(source).__name__}. Pass (x, y), or a URI such as 'digits' or 'npz:PATH'.")
    return evolve(found, y=check_labels(found.y, len(found.x)))


def arrange(data: Dataset, model: Model) -> Dataset:
    """The data in the layout that the model takes, where the data leaves it open. Raises DataError where none fits."""
    if data.layout is None:
        return data
    refused = []
    for layout in _likely_layouts(model):
        candidate = data.arranged(layout)
        try:
            model(candidate.x[:2])
        except Exception as error:  # whatever a framework raises for a shape that it does not take
            reason = " ".join(str(error).split())
            refused.append(f"{layout} {candidate.x.shape}: {reason[:200]}")
        else:
            return candidate
    raise DataError(
        f"The model takes {data.name or 'the data'} in no layout that was tried:\n  " + "\n  ".join(refused) + "\n"
        "Bring the data in the model's own shape: save it with np.savez(path, x=x, y=y) and use npz:PATH."
    )


def _likely_layouts(model: Model) -> tuple[str, ...]:
    axis = model.channel_axis
    if axis is None:
        axis = getattr(getattr(model, "net", None), "channel_axis", None)
    channels_first = axis == 1 or (axis is None and model.backend.name == "torch")
    return ("nchw", "nhwc", "nhw", "flat") if channels_first else ("nhwc", "nchw", "nhw", "flat")


def _on_host(part: Any) -> Any:
    """NumPy as it is; tensors of any framework through the ways they offer."""
    if isinstance(part, np.ndarray) or part is None:
        return part
    if hasattr(part, "detach"):
        part = part.detach().cpu()
    try:
        return np.asarray(part)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"data holds a {type(part).__name__} that NumPy cannot read ({error}). Pass arrays (x, y)."
        ) from error


# ---- data


def _open_data_uri(uri: Uri) -> Dataset:
    try:
        spec = registry.spec("dataset", uri.scheme)
    except UnknownPlugin as error:
        found = registry.first("armour_open_data", uri=uri.text)
        if isinstance(found, Dataset):
            return found
        raise _no_such_data(uri, error) from error
    opened: Dataset = registry.create("dataset", spec.id, **uri.settings).open(uri.text)
    return opened


def _no_such_data(uri: Uri, error: UnknownPlugin) -> ConfigError:
    names = sorted({spec.name for spec in registry.list_plugins("dataset")})
    suffix = Path(uri.scheme if not uri.path else uri.path).suffix.lower().removeprefix(".")
    if not uri.path and suffix in names:
        hint = f"For a file write its format first: {suffix}:{uri.text}."
    else:
        near = get_close_matches(uri.scheme, names, n=2)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        hint += f"Data can be: {', '.join(names) or 'nothing; no dataset plugin is installed'}."
    return ConfigError(f"Data {uri.text!r}: nothing opens {uri.scheme!r}. {hint}")


# ---- models


def _open_model_uri(text: str) -> Any:
    uri = Uri.parse(text)
    if uri.scheme == "python":
        return _from_python(uri)
    found = registry.first("armour_open_model", uri=uri.text)
    if found is None:
        hint = (
            f"For a Python file write python:{Path(uri.text).stem}:FUNCTION."
            if uri.text.endswith(".py")
            else "A model is python:MODULE:FACTORY, where FACTORY is a function that returns the network."
        )
        raise ConfigError(f"Model {text!r}: nothing opens {uri.scheme!r}. {hint}")
    return found


def _from_python(uri: Uri) -> Any:
    module_name, colon, attribute = uri.path.partition(":")
    if uri.settings:
        raise ConfigError(f"Model {uri.text!r}: python: takes no settings after a ?; put them into the factory.")
    if not colon or not module_name or not attribute or "/" in module_name or module_name.endswith(".py"):
        stem = Path(module_name).stem or "MODULE"
        hint = f" From the folder of that file: python:{stem}:{attribute or 'FACTORY'}." if module_name else ""
        raise ConfigError(f"Model {uri.text!r}: write python:MODULE:FACTORY, with a module's importable name.{hint}")
    with _current_folder_importable():
        made_by = _attribute(uri, _module(uri, module_name), attribute)
        if not _is_factory(made_by):
            return made_by
        try:
            made = made_by()
        except ArmourError:
            raise
        except (Exception, SystemExit) as error:
            raise ConfigError(
                f"Model {uri.text!r}: {attribute}() raised {type(error).__name__}: {error}. "
                "A factory takes no arguments and returns the network."
            ) from error
    if made is None:
        raise ConfigError(f"Model {uri.text!r}: {attribute}() returned None. End it with: return net")
    return made


@contextlib.contextmanager
def _current_folder_importable() -> Iterator[None]:
    """What `python` itself does and a console script does not: the current folder comes first on sys.path."""
    here = os.getcwd()
    if here in sys.path or "" in sys.path:
        yield
        return
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the module may have taken it out itself
            sys.path.remove(here)


def _module(uri: Uri, name: str) -> ModuleType:
    loaded = sys.modules.get(name)
    beside = Path.cwd().joinpath(*name.split(".")).with_suffix(".py")
    origin = getattr(loaded, "__file__", None)
    if loaded is not None and beside.is_file() and origin and not os.path.samefile(origin, beside):
        raise ConfigError(
            f"Model {uri.text!r}: a module {name!r} is loaded already, from {origin}, and hides {beside}. "
            "Rename your file, or start Python anew."
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"Model {uri.text!r}: module {name!r} needs {error.name!r}, which is not installed."
            ) from error
        raise ConfigError(
            f"Model {uri.text!r}: there is no module {error.name!r}, neither installed nor in {os.getcwd()}. "
            "Run from the folder that holds it, or install it."
        ) from error
    except ArmourError:
        raise
    except (Exception, SystemExit) as error:  # a script that parses its arguments at import exits
        raise ConfigError(f"Model {uri.text!r}: importing {name!r} raised {type(error).__name__}: {error}.") from error


def _attribute(uri: Uri, module: ModuleType, path: str) -> Any:
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            near = get_close_matches(name, [public for public in dir(found) if not public.startswith("_")], n=2)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ConfigError(f"Model {uri.text!r}: {module.__name__!r} has no {path!r}.{hint}")
        found = getattr(found, name)
    return found


def _is_factory(value: Any) -> bool:
    """A function or a class makes the network; any other object is the network, though it can be called."""
    return inspect.isroutine(value) or inspect.isclass(value) or isinstance(value, functools.partial)
