"""Plain supervised training: enough for `armour demo`."""

from typing import Any

import numpy as np

from armour_backends.tensorflow.load import tf


def fit(
    net: Any, x: Any, y: Any, *, epochs: int = 10, batch_size: int = 64, lr: float = 1e-3, seed: int = 0
) -> list[float]:
    """Train a Keras model in place with Adam on the cross entropy of its logits, batches shuffled with `seed`.

    x: (N, ...) as the network takes it; y: integer labels (N,). Returns the mean loss of each epoch. What the model was
    compiled with stays.
    """
    data = np.asarray(x, dtype=net.compute_dtype)
    labels = np.asarray(y, dtype=np.int32)
    optimiser = tf.keras.optimizers.Adam(lr)
    order = np.random.default_rng(seed)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(images: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, net(images, training=True))
            loss = tf.reduce_mean(losses)
        optimiser.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
        return loss

    optimiser.build(net.trainable_variables)
    history = []
    for _ in range(epochs):
        total = 0.0
        rows = order.permutation(len(data))
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            total += float(step(tf.constant(data[batch]), tf.constant(labels[batch]))) * len(batch)
        history.append(total / len(data))
    return history
