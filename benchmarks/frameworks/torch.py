"""torch: eager, one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.digits import digits
from benchmarks.frameworks import Side
from benchmarks.loops import torch as loops
from benchmarks.settings import Settings


def side(settings: Settings) -> Side:
    """A network of two convolutions, trained here. Raises RuntimeError where there is no such device."""
    name = settings.device
    if name == "auto":
        name = "cuda:0" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"torch {torch.__version__} has no CUDA device here")
    torch.set_num_threads(1)
    data = digits(settings.train)
    torch.manual_seed(0)
    net = _network().to(device)
    _train(net, _images(data.x_train, device), torch.from_numpy(data.y_train).to(device))
    net.eval()

    def predict(x: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            return net(x).argmax(1).cpu().numpy()

    def native(x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(x).to(device)

    x, right = _images(data.x_test, device), predict(_images(data.x_test, device)) == data.y_test
    rows = np.flatnonzero(right)[: settings.batch]
    x = x[torch.from_numpy(rows).to(device)]
    return Side(
        name="torch",
        device=name,
        net=net,
        x=x,
        y=native(data.y_test[rows]),
        images=x.cpu().numpy(),
        labels=data.y_test[rows],
        about=f"{data.name}, {len(data.x_train)} images to train on, accuracy {right.mean():.1%}",
        predict=predict,
        to_numpy=lambda value: value.detach().cpu().numpy(),
        native=native,
        loops=loops,
        counted=lambda run: _rows(net, run),
        synchronize=None if device.type == "cpu" else lambda: torch.cuda.synchronize(device),
    )


def _network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(),
        nn.Conv2d(16, 32, 5, stride=2, padding=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip


def _images(x: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(x[:, None]).to(device)


def _train(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(2):
        for rows in torch.randperm(len(x)).split(64):
            adam.zero_grad()
            functional.cross_entropy(net(x[rows]), y[rows]).backward()
            adam.step()


def _rows(net: nn.Module, run: Callable[[], Any]) -> int:
    seen: list[int] = []
    hook = net.register_forward_hook(lambda module, args, output: seen.append(len(output)))
    try:
        run()
    finally:
        hook.remove()
    return sum(seen)
