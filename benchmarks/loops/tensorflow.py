"""In TensorFlow, eager; `pgd_graph` is the same under tf.function."""

from __future__ import annotations

import tensorflow as tf


def pgd(net: tf.keras.Model, x: tf.Tensor, y: tf.Tensor, eps: float, steps: int) -> tf.Tensor:
    """Linf PGD; the last iterate."""
    size = 2.5 * eps / steps
    low, high = tf.clip_by_value(x - eps, 0, 1), tf.clip_by_value(x + eps, 0, 1)
    point = tf.clip_by_value(x + tf.random.uniform(x.shape, -eps, eps), low, high)
    for _ in range(steps):
        gradient, _ = _climb(net, point, y)
        point = tf.clip_by_value(point + size * tf.sign(gradient), low, high)
    return point


def pgd_best(net: tf.keras.Model, x: tf.Tensor, y: tf.Tensor, eps: float, steps: int) -> tf.Tensor:
    """Linf PGD; the iterate with the highest loss of each row."""
    size = 2.5 * eps / steps
    low, high = tf.clip_by_value(x - eps, 0, 1), tf.clip_by_value(x + eps, 0, 1)
    point = tf.clip_by_value(x + tf.random.uniform(x.shape, -eps, eps), low, high)
    best, best_losses = x, tf.fill(y.shape, -float("inf"))
    for _ in range(steps):
        gradient, losses = _climb(net, point, y)
        best = tf.where(tf.reshape(losses > best_losses, (-1, 1, 1, 1)), point, best)
        best_losses = tf.maximum(losses, best_losses)
        point = tf.clip_by_value(point + size * tf.sign(gradient), low, high)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, net(point, training=False))
    return tf.where(tf.reshape(losses > best_losses, (-1, 1, 1, 1)), point, best)


def forward(net: tf.keras.Model, x: tf.Tensor) -> tf.Tensor:
    """The plain call."""
    return net(x, training=False)


pgd_graph = tf.function(pgd, autograph=False)


def _climb(net: tf.keras.Model, point: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(point)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, net(point, training=False))
    return tape.gradient(losses, point), losses
