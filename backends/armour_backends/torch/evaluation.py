"""Evaluation mode for the time of a call."""

from collections.abc import Iterator
from typing import Any

from torch import nn


def modules(root: nn.Module) -> Iterator[nn.Module]:
    """Every module once, the root first; what `nn.Module.modules` yields, without making names."""
    seen = {id(root)}
    waiting = [root]
    while waiting:
        module = waiting.pop()
        yield module
        for child in reversed(module._modules.values()):
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)


class Evaluation:
    """Sets training flags to False, one by one, and puts back those it changed. Looks first: mostly none is set."""

    __slots__ = ("_name", "_root", "_training")

    def __init__(self, root: Any, name: str) -> None:
        self._root, self._name = root, name
        self._training: list[nn.Module] = []

    def __enter__(self) -> list[str]:
        every = list(modules(self._root))
        training = [module for module in every if getattr(module, "training", False)]
        if not training:
            return []
        self._training = training
        for module in training:
            module.training = False
        which = "" if len(training) == len(every) else f" ({len(training)} of its {len(every)} modules)"
        return [
            f"{self._name} was in training mode{which}; it was run in evaluation mode, and its flags are as they were"
        ]

    def __exit__(self, *error: Any) -> None:
        for module in self._training:
            module.training = True
        self._training = []
