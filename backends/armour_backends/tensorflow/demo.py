"""The network of `armour demo`: a small convolutional classifier of 8 x 8 digits, and how its weights are loaded.

The demo writes this file beside the weights it has trained, so that `armour scan python:model:load` finds the model.
"""

from pathlib import Path

import keras
import numpy as np
from keras import layers


def network(seed: int = 0) -> keras.Model:
    """Untrained, the same for the same seed: (N, 8, 8, 1) in [0, 1] to logits (N, 10)."""
    first, second, last = (keras.initializers.GlorotUniform(seed=seed + place) for place in range(3))
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer=first),
            layers.Conv2D(32, 3, padding="same", activation="relu", kernel_initializer=second),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(10, kernel_initializer=last),
        ]
    )


def save(net: keras.Model, path: Path) -> None:
    """Plain arrays, no pickle."""
    np.savez(path, **{f"weight_{place}": value for place, value in enumerate(net.get_weights())})


def load() -> keras.Model:
    """The trained network, from weights.npz beside this file."""
    net = network()
    with np.load(Path(__file__).with_name("weights.npz"), allow_pickle=False) as weights:
        net.set_weights([weights[f"weight_{place}"] for place in range(len(weights.files))])
    return net
