"""What can be read from a Keras 3 model, whichever framework it computes with. Imports neither of them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from armour_core.errors import ConfigError


def dtype_of(net: Any) -> str:
    """The dtype of the first floating weight, or what the policy gives to weights not yet built."""
    for variable in net.weights:
        if "float" in str(variable.dtype):
            return str(variable.dtype)
    return str(getattr(net, "variable_dtype", None) or "float32")


def computes_in(net: Any) -> str:
    """The dtype of the computation, which a mixed policy makes another one than the weights'."""
    return str(getattr(net, "compute_dtype", None) or "float32")


def layers(net: Any) -> Iterator[Any]:
    """The model and all layers inside it, outermost first."""
    yield from net._flatten_layers()


def channel_axis(net: Any) -> int | None:
    """`data_format` of the first layer that has one."""
    for layer in layers(net):
        if (order := getattr(layer, "data_format", None)) in ("channels_first", "channels_last"):
            return 1 if order == "channels_first" else -1
    return None


def moving(net: Any) -> dict[str, Any]:
    """Variables that training may move and evaluation must not: running averages, counters, seed states. By name.

    Frozen weights are not among them: they are non-trainable too, but large, and nothing moves them.
    """
    found: dict[str, Any] = {}
    weights = {id(v) for layer in layers(net) for v in getattr(layer, "_trainable_variables", ())}
    for variable in net.non_trainable_variables:
        if id(variable) not in weights:
            name = variable.path.removeprefix(f"{net.name}/")
            twins = 1
            while (unique := name if twins == 1 else f"{name}~{twins - 1}") in found:
                twins += 1
            found[unique] = variable
    return found


def is_seed(name: str) -> bool:
    """Whether this name of `moving` is the state of a seed generator."""
    return "seed_generator_state" in name


def couples(net: Any) -> list[str]:
    """Layers that mix the rows of a batch when they are called in training mode."""
    return [layer.name for layer in layers(net) if type(layer).__name__ == "BatchNormalization"]


def why_moved() -> str:
    """The likely reason, for a warning."""
    return (
        "A layer is called with training=True whatever is asked: take that argument out of the model's call, or its "
        "outputs in evaluation depend on the rest of the batch."
    )


def state(net: Any, host: Callable[[Any], np.ndarray]) -> dict[str, np.ndarray]:
    """All weights, by position and bare name: layer names count up from model to model."""
    return {f"{place:05d}/{v.name}": host(v) for place, v in enumerate(net.weights)}


class SeedStream:
    """A seed generator's state inside a model: drawing from it moves it."""

    def __init__(self, name: str, variable: Any, host: Callable[[Any], np.ndarray]) -> None:
        self.name = name
        self._variable, self._host = variable, host

    def get(self) -> Any:
        """dtype, shape and bytes."""
        value = self._host(self._variable)
        return str(value.dtype), value.shape, value.tobytes()

    def set(self, state: Any) -> None:
        """Put a state in place."""
        dtype, shape, raw = state
        self._variable.assign(np.frombuffer(raw, dtype).reshape(shape))

    def seeded(self, seed: int) -> Any:
        """The seed in the first word, a counter of 0 in the second."""
        value = self._host(self._variable)
        words = np.zeros(value.shape, value.dtype)
        words[0] = seed % 2**31
        return str(words.dtype), words.shape, words.tobytes()


def seed_streams(net: Any, host: Callable[[Any], np.ndarray]) -> list[SeedStream]:
    """One for each seed generator in the model."""
    return [SeedStream(f"the seed state {name}", v, host) for name, v in moving(net).items() if is_seed(name)]


def buffers(net: Any, host: Callable[[Any], np.ndarray]) -> dict[str, np.ndarray]:
    """Host copies of what `moving` finds, seed states left to `seed_streams`."""
    return {name: host(v) for name, v in moving(net).items() if not is_seed(name)}


def restore(net: Any, values: Mapping[str, np.ndarray]) -> None:
    """Write back those that are among these values."""
    there = moving(net)
    for name in there.keys() & values.keys():
        there[name].assign(values[name])


def call_of(net: Any, forward: Callable[..., Any] | None, name: str | None) -> Callable[[Any], Any]:
    """The call in evaluation mode: with x alone, as the input of that name, or as the caller's `forward` makes it."""
    if forward is not None:
        return lambda x: forward(net, x)
    if name is None:
        return lambda x: net(x, training=False)
    inputs = getattr(net, "_inputs_struct", None)  # of a functional model, as its author gave them
    if isinstance(inputs, dict):
        return lambda x: net({name: x}, training=False)
    if inputs is None:
        return lambda x: net(**{name: x}, training=False)
    names = [tensor.name for tensor in (inputs if isinstance(inputs, list | tuple) else [inputs])]
    if names != [name]:
        raise ConfigError(
            f"wrap(input={name!r}): {net.name} takes the inputs {', '.join(names)}. Fix the others: wrap(net, "
            "forward=lambda net, x: net([x, other], training=False))."
        )
    return lambda x: net(x, training=False)
