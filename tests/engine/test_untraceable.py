"""A network that its framework cannot trace is attacked all the same, eagerly, and the result says so."""

import numpy as np
import pytest

import armour_core as armour


@pytest.mark.parametrize("name", ["pgd", "hopskipjump"])
def test_a_network_that_looks_at_values_is_attacked_as_one_that_does_not(name):
    tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    rng = np.random.default_rng(0)
    w, x = tf.constant(rng.standard_normal((6, 3)), tf.float32), rng.standard_normal((8, 6)).astype(np.float32)

    def plain(x):
        return tf.matmul(x, w)

    def looking(x):
        y = tf.matmul(x, w)
        return y if np.isfinite(np.asarray(y)).all() else tf.zeros_like(y)

    models = [armour.wrap(net, backend="tensorflow", bounds=(-5, 5)) for net in (plain, looking)]
    y = models[0](x).numpy().argmax(1)
    attack = armour.create("attack", name, steps=3)
    traced, eager = (armour.run_attack(attack, model, x, y, eps=1.0) for model in models)
    assert any("cannot be traced" in note for note in eager.warnings)
    assert not any("cannot be traced" in note for note in traced.warnings)
    np.testing.assert_array_equal(eager.success, traced.success)
    np.testing.assert_array_equal(eager.queries.forward, traced.queries.forward)
    assert eager.success.any()
