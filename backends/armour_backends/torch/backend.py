"""PyTorch as a backend: eager by default, with nothing global changed and nobody's `.grad` written."""

import contextlib
import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from armour_backends.torch import namespace
from armour_backends.torch.rng import mix, normal, unit
from armour_core.errors import ConfigError, DataError
from armour_core.rng import Rng, root

Array = Any


def backend_for(device: str = "auto") -> "TorchBackend":
    """The backend of a device: "auto" (a CUDA device where there is one), "cpu", "cuda", "cuda:0", "mps"."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise _unavailable(device) from error
    name = wanted.type if wanted.type == "cpu" else f"{wanted.type}:{wanted.index or 0}"
    if name not in _devices():
        raise _unavailable(device)
    return _backend(name)


@functools.cache
def _backend(device: str) -> "TorchBackend":
    return TorchBackend(device)


def _devices() -> list[str]:
    found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    return [*found, "mps:0"] if torch.backends.mps.is_available() else found


def _unavailable(device: str) -> ConfigError:
    return ConfigError(
        f"device {device!r}: torch has no such device here. There is: {', '.join(_devices())}; or say 'auto'."
    )


class TorchBackend:
    """`armour_core.protocols.backend.Backend` over torch. compile: "never", or "always": torch.compile of each step."""

    name = "torch"
    capabilities: frozenset[str] = frozenset({"autodiff"})

    def __init__(self, device: str = "cpu", compile: str = "never"):
        if compile not in ("never", "always"):
            raise ConfigError(f"compile={compile!r}: expected 'never' or 'always'.")
        self.device = device
        self.xp: ModuleType = namespace.on(device)
        self.static_shapes = compile == "always"
        self._device = torch.device(device)
        self._compile = compile

    def __repr__(self) -> str:
        return f"TorchBackend({self.device!r})"

    def asarray(self, x: Any, dtype: Any = None) -> Array:
        """Shares memory with `x` where it can. Tensors of inference mode are copied: autograd refuses them."""
        if isinstance(dtype, str):
            dtype = getattr(self.xp, dtype)
        if isinstance(x, torch.Tensor):
            if x.is_inference():
                with torch.inference_mode(False):
                    return x.clone().to(self._device, dtype)
            return x.to(self._device, dtype)
        with _ordinary():
            if isinstance(x, np.ndarray | np.generic):
                x = torch.from_numpy(_host(x))
                return x.to(self._device, dtype)
            return torch.as_tensor(x, dtype=dtype, device=self._device)

    def to_numpy(self, x: Array) -> np.ndarray:
        """Shares memory with `x` on the CPU. bfloat16, which NumPy lacks, comes as float32."""
        x = x.detach()
        if x.dtype is torch.bfloat16:
            x = x.to(torch.float32)
        return x.cpu().numpy()

    def is_native(self, x: Any) -> bool:
        """Any torch tensor."""
        return isinstance(x, torch.Tensor)

    def rng(self, seed: int) -> Rng:
        """The root generator for a seed."""
        return root(self, seed)

    # what the generator is made of
    mix = staticmethod(mix)
    unit = staticmethod(unit)
    normal = staticmethod(normal)

    def stop_gradient(self, x: Array) -> Array:
        """`x`, detached."""
        return x.detach()

    def value_and_grad(
        self, f: Callable[[Array], tuple[Array, Any]]
    ) -> Callable[[Array], tuple[tuple[Array, Any], Array]]:
        """By `autograd.grad`, which writes nothing; under torch.compile by `torch.func`. The gradient is a constant."""

        def run(x: Array) -> tuple[tuple[Array, Any], Array]:
            if torch.compiler.is_compiling():
                gradient, (value, aux) = torch.func.grad_and_value(f, has_aux=True)(x)
                return (value.detach(), _each(torch.Tensor.detach, aux)), gradient
            with _ordinary(), torch.enable_grad():
                leaf = _leaf(x)
                value, aux = f(leaf)
                gradient = _pull(value, leaf, None, False)
            return (value.detach(), _each(torch.Tensor.detach, aux)), gradient

        return run

    def vjp(self, f: Callable[[Array], Array], x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """The graph lives as long as `pull` does."""
        if torch.compiler.is_compiling():
            y, pull = torch.func.vjp(f, x)
            return y.detach(), lambda cotangent: pull(cotangent)[0]
        with _ordinary(), torch.enable_grad():
            leaf = _leaf(x)
            y = f(leaf)

        def back(cotangent: Array) -> Array:
            with _ordinary():
                return _pull(y, leaf, cotangent, True)

        return y.detach(), back

    def compile(self, f: Callable[..., Any], model: Any = None) -> Callable[..., Any]:
        """Eager by default, recording no graph; outside inference mode, so that gradients can be taken within."""
        code = torch.compile(f, dynamic=False) if self._compile == "always" else f

        def run(*args: Any) -> Any:
            with _ordinary(), torch.no_grad():
                return code(*_each(_ordinary_tensor, args))

        return run

    def iterate(self, step: Callable[..., Any], model: Any = None) -> Callable[..., dict[str, Array]]:
        """A Python loop over the (compiled) step, recording no graph between steps."""
        code = torch.compile(step, dynamic=False) if self._compile == "always" else step
        device = self._device

        def run(carry: Any, rows: Any, shared: Any, first: int, n: int) -> dict[str, Array]:
            with _ordinary(), torch.no_grad():
                carry, rows, shared = _each(_ordinary_tensor, (dict(carry), rows, shared))
                for k in torch.arange(first, first + n, dtype=torch.int32, device=device).unbind():
                    carry = code(carry, rows, shared, k)
            return carry

        return run

    def select(self, rows: Array, a: Array, b: Array) -> Array:
        """Whole rows by a bool vector. On the CPU, where looking is cheap, all or none of the rows costs no copy."""
        if self.device == "cpu" and not torch.compiler.is_compiling():
            chosen = int(rows.sum())
            if chosen == 0 or chosen == rows.shape[0]:
                return a if chosen else b
        return torch.where(rows.reshape(rows.shape + (1,) * (a.ndim - 1)), a, b)

    def cross_entropy(self, logits: Array, labels: Array) -> Array:
        """torch's own."""
        return functional.cross_entropy(logits, labels.to(torch.int64), reduction="none")

    def synchronize(self) -> None:
        """Waits for the CUDA or MPS queue; the CPU has none."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        elif self._device.type == "mps":
            torch.mps.synchronize()


def _host(x: Any) -> np.ndarray:
    """An array that torch can take as it is: its byte order, no negative strides, writable."""
    array = np.asarray(x)
    if array.dtype.kind not in "biufc":
        raise DataError(f"torch cannot hold an array of dtype {array.dtype}. Pass numbers.")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return array


_NOTHING = contextlib.nullcontext()


def _ordinary() -> contextlib.AbstractContextManager[Any]:
    """Out of inference mode, whose tensors autograd refuses."""
    return torch.inference_mode(False) if torch.is_inference_mode_enabled() else _NOTHING


def _ordinary_tensor(x: torch.Tensor) -> torch.Tensor:
    """A copy that autograd can use, of a tensor made in inference mode."""
    return x.clone() if x.is_inference() else x


def _each(f: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    """`value` with its tensors replaced; torch's own tree_map takes ten times as long for a dict of five."""
    if isinstance(value, torch.Tensor):
        return f(value)
    if isinstance(value, dict):
        return {key: _each(f, v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        parts = [_each(f, v) for v in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _leaf(x: Array) -> Array:
    """A leaf of its own: the caller's tensor is not touched."""
    if not x.is_floating_point():
        raise DataError(f"a gradient was asked with respect to {x.dtype}. Cast to a floating dtype first: xp.astype.")
    return (x.clone() if x.is_inference() else x.detach()).requires_grad_()


def _pull(y: Array, leaf: Array, cotangent: Array | None, keep: bool) -> Array:
    if not y.requires_grad:  # f ignores its argument
        return torch.zeros_like(leaf, requires_grad=False)
    (gradient,) = torch.autograd.grad(y, leaf, cotangent, retain_graph=keep, allow_unused=True)
    return torch.zeros_like(leaf, requires_grad=False) if gradient is None else gradient
