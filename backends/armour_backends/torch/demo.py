"""The network of `armour demo`: a small convolutional classifier of 8 x 8 digits, and how its weights are loaded.

The demo writes this file beside the weights it has trained, so that `armour scan python:model:load` finds the model.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn


def network(seed: int = 0) -> nn.Module:
    """Untrained, the same for the same seed: (N, 1, 8, 8) in [0, 1] to logits (N, 10)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 10),
        )


def save(net: nn.Module, path: Path) -> None:
    """Plain arrays, no pickle."""
    np.savez(path, **{name: value.detach().cpu().numpy() for name, value in net.state_dict().items()})


def load() -> nn.Module:
    """The trained network, from weights.npz beside this file."""
    net = network()
    with np.load(Path(__file__).with_name("weights.npz"), allow_pickle=False) as weights:
        net.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    return net.eval()
