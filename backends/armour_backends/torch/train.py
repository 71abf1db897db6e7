"""Plain supervised training: enough for `armour demo`."""

from typing import Any

import numpy as np
import torch


def fit(
    net: torch.nn.Module, x: Any, y: Any, *, epochs: int = 10, batch_size: int = 64, lr: float = 1e-3, seed: int = 0
) -> list[float]:
    """Train `net` in place with Adam on the cross entropy of its logits, batches shuffled with `seed`.

    x: (N, ...) as the network takes it; y: integer labels (N,). Returns the mean loss of each epoch. The network's
    training flags are afterwards as they were; the caller's generators do not move.
    """
    place = next(net.parameters())
    data = torch.as_tensor(np.asarray(x), dtype=place.dtype, device=place.device)
    labels = torch.as_tensor(np.asarray(y), dtype=torch.int64, device=place.device)
    optimiser = torch.optim.Adam(net.parameters(), lr=lr)
    order = np.random.default_rng(seed)
    flags = {module: module.training for module in net.modules()}
    losses = []
    try:
        net.train()
        for _ in range(epochs):
            total = 0.0
            for rows in torch.as_tensor(order.permutation(len(data))).split(batch_size):
                optimiser.zero_grad()
                loss = torch.nn.functional.cross_entropy(net(data[rows]), labels[rows])
                loss.backward()
                optimiser.step()
                total += loss.item() * len(rows)
            losses.append(total / len(data))
    finally:
        for module, training in flags.items():
            module.training = training
    return losses
