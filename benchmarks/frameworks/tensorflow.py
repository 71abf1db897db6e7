"""TensorFlow: a Keras 3 network, one thread."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.digits import digits
from benchmarks.frameworks import Side
from benchmarks.loops import tensorflow as loops
from benchmarks.settings import Settings


def side(settings: Settings) -> Side:
    """A network of two convolutions, trained here. Raises RuntimeError where there is no such device."""
    gpus = tf.config.list_physical_devices("GPU")
    wanted = settings.device.lower().replace("cuda", "gpu")
    if wanted == "auto":
        wanted = "gpu:0" if gpus else "cpu"
    if wanted != "cpu" and not gpus:
        raise RuntimeError(f"this TensorFlow {tf.__version__} has no GPU here: install `tensorflow[and-cuda]`")
    if wanted == "cpu" and gpus:
        tf.config.set_visible_devices([], "GPU")
    data = digits(settings.train)
    tf.keras.utils.set_random_seed(0)
    net = _network()
    net.compile(tf.keras.optimizers.Adam(1e-3), tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    net.fit(data.x_train[..., None], data.y_train, batch_size=64, epochs=2, verbose=0)

    def predict(x: tf.Tensor) -> np.ndarray:
        return np.argmax(net(x, training=False).numpy(), axis=1)

    images = data.x_test[..., None]
    right = predict(tf.constant(images)) == data.y_test
    rows = np.flatnonzero(right)[: settings.batch]
    return Side(
        name="tensorflow",
        device=wanted.upper() if wanted != "cpu" else "cpu",
        net=net,
        x=tf.constant(images[rows]),
        y=tf.constant(data.y_test[rows]),
        images=images[rows],
        labels=data.y_test[rows],
        about=f"{data.name}, {len(data.x_train)} images to train on, accuracy {right.mean():.1%}",
        predict=predict,
        to_numpy=lambda value: value.numpy(),
        native=tf.constant,
        loops=loops,
        synchronize=None if wanted == "cpu" else tf.test.experimental.sync_devices,
    )


def _network() -> tf.keras.Model:
    layers = tf.keras.layers
    return tf.keras.Sequential([
        layers.Input((28, 28, 1)),
        layers.Conv2D(16, 5, strides=2, padding="same", activation="relu"),
        layers.Conv2D(32, 5, strides=2, padding="same", activation="relu"),
        layers.Flatten(), layers.Dense(10),
    ])  # fmt: skip
