"""What test_jax_backend.py asks of JAX, in a process of its own: `python on_jax.py QUESTION` prints the answer as JSON.

A process each, so that JAX's threads and settings meet no other framework's, and armour is the installed one.
"""

import gc
import json
import sys
import weakref

import jax
import jax.numpy as jnp
import numpy as np
from armour_jax import JaxModel
from attrs import frozen
from jax import lax

import armour_core as armour

ATTACKS = {
    "fgsm": ("fgsm", {}, 0.06),
    "fgsm l2": ("fgsm", {"norm": "l2"}, 0.4),
    "pgd": ("pgd", {"steps": 15}, 0.06),
    "pgd restarts": ("pgd", {"steps": 5, "rounds": 3, "loss": "dlr"}, 0.04),
    "pgd l2": ("pgd", {"norm": "l2", "steps": 15}, 0.4),
    "pgd l1": ("pgd", {"norm": "l1", "steps": 15}, 2.5),
    "square": ("square", {"steps": 60}, 0.06),
    "square l2": ("square", {"norm": "l2", "steps": 20}, 0.8),
    "gaussian_noise": ("gaussian_noise", {}, 2.0),
    "cw": ("cw", {"steps": 25, "rounds": 3, "initial_const": 1.0}, None),
    "hopskipjump": ("hopskipjump", {"steps": 1, "first_points": 32}, None),
}


def convolutional(params, x):
    for kernel, bias in (("k1", "b1"), ("k2", "b2")):
        x = lax.conv_general_dilated(x, params[kernel], (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        x = jax.nn.relu(x + params[bias][:, None, None])
    x = x.reshape(x.shape[0], x.shape[1], 3, 2, 3, 2).max((3, 5))
    return x.reshape(x.shape[0], -1) @ params["w"] + params["b"]


def dense(params, x):
    dense.calls += 1
    return jnp.tanh(x @ params["hidden"]) @ params["last"]


dense.calls = 0


def weights(seed, **shapes):
    rng = np.random.default_rng(seed)
    fan_in = {name: np.prod(shape[1:]) if name[0] == "k" else shape[0] for name, shape in shapes.items()}
    return {
        name: (rng.standard_normal(shape) * 1.5 / np.sqrt(fan_in[name])).astype(np.float32)
        for name, shape in shapes.items()
    }


def images(rows, seed=0):
    return np.random.default_rng(seed).random((rows, 1, 6, 6), dtype=np.float32)


def small(seed=0):
    """A dense network, its data, and the labels it gives them."""
    net = JaxModel(dense, jax.tree.map(jnp.asarray, weights(seed, hidden=(6, 12), last=(12, 4))))
    x = np.random.default_rng(seed).random((20, 6), dtype=np.float32)
    return net, x, np.asarray(dense(net.params, x)).argmax(1)


def attacks():
    """Each attack on the same weights under JAX and under torch."""
    import torch

    functional = torch.nn.functional
    given = weights(0, k1=(6, 1, 3, 3), b1=(6,), k2=(8, 6, 3, 3), b2=(8,), w=(72, 4), b=(4,))

    class Convolutional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, value in given.items():
                self.register_parameter(name, torch.nn.Parameter(torch.from_numpy(value)))

        def forward(self, x):
            for kernel, bias in ((self.k1, self.b1), (self.k2, self.b2)):
                x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
            return functional.max_pool2d(x, 2).flatten(1) @ self.w + self.b

    theirs = armour.wrap(Convolutional().eval())
    ours = armour.wrap(JaxModel(convolutional, jax.tree.map(jnp.asarray, given)))
    x = images(24)
    y = np.asarray(ours(x)).argmax(1)
    found = {}
    for title, (name, settings, eps) in ATTACKS.items():
        attack = armour.create("attack", name, **settings)
        a, b = (armour.run_attack(attack, model, x, y, eps=eps, seed=3, batch_size=16) for model in (ours, theirs))
        met = a.success[0] & b.success[0]
        found[title] = {
            "success": float(a.success.mean()),
            "same_success": bool((a.success == b.success).all()),
            "same_counts": bool(
                (a.queries.forward == b.queries.forward).all() and (a.queries.backward == b.queries.backward).all()
            ),
            "apart": float(abs(a.x_adv() - b.x_adv()).max()),
            "distance": [float(a.distance[met].mean()), float(b.distance[met].mean())],
        }
    return found


def arguments():
    """Are weights read when compiled code is called, by name of the case?"""
    net, x, y = small()
    model = armour.wrap(net)
    backend = model.backend

    def run():  # max_loss: no row leaves, so that shapes stay what they are
        before = dense.calls
        result = armour.run_attack("pgd", model, x, y, eps=0.05, until="max_loss")
        return result.x_adv(), dense.calls - before

    first, traced = run()
    again, retraced = run()
    other, _, _ = small(1)
    net.params = other.params
    changed, retraced_on_change = run()
    model = armour.wrap(JaxModel(dense, other.params))
    fresh, _ = run()
    found = {
        "traced": traced > 0,
        "retraced": retraced,
        "repeats": bool((first == again).all()),
        "retraced_on_change": retraced_on_change,
        "sees_the_change": bool((changed == fresh).all() and (changed != first).any()),
    }

    # two networks in one program, and a program within a program
    one, two = armour.wrap(small(2)[0]), armour.wrap(small(3)[0])
    x = backend.asarray(x)
    both = backend.compile(lambda x: one.forward(x) + two.forward(x))
    within = backend.compile(lambda x: 2 * both(x))
    step = backend.iterate(lambda carry, rows, shared, k: {"y": carry["y"] + one.forward(rows["x"])})

    def equal():
        plain = one.forward(x) + two.forward(x)
        looped = step({"y": jnp.zeros((20, 4))}, {"x": x}, {}, 0, 3)["y"]
        pairs = ((both(x), plain), (within(x), 2 * plain), (looped, 3 * one.forward(x)))
        return all(bool(jnp.allclose(a, b, atol=1e-5)) for a, b in pairs)

    found["two networks"] = equal()
    one.native.params, two.native.params = two.native.params, jax.tree.map(jnp.negative, one.native.params)
    before = dense.calls
    found["two networks, changed"] = equal()
    found["two networks, retraced"] = dense.calls - before - 3  # three plain calls
    return found


def wrapping():
    """Which backend is told for what, and what is refused."""
    net, x, y = small()
    w = net.params["last"]

    def function(x):
        return jnp.tanh(x) @ w

    def refusal(*args, **kwargs):
        try:
            armour.wrap(*args, **kwargs)
        except armour.ConfigError as error:
            return str(error)

    half = JaxModel(dense, jax.tree.map(lambda v: v.astype(jnp.bfloat16), net.params))
    wrapped = armour.wrap(half)
    chosen = armour.wrap(net, forward=lambda net, x: {"a": net.apply(net.params, x)}, output="a")
    return {
        "model": armour.wrap(net).backend.name,
        "function": armour.wrap(function).backend.name,
        "jitted": armour.wrap(jax.jit(lambda x: x @ w)).backend.name,
        "numpy function": armour.wrap(lambda x: np.tanh(x)).backend.name,
        "notes": list(armour.wrap(function).notes),
        "fingerprints": len({armour.wrap(small(seed)[0]).fingerprint() for seed in (0, 0, 1)}),
        "bfloat16": [wrapped.net.dtype, np.dtype(wrapped.dtype).name, wrapped(x).dtype.name],
        "bfloat16 falls": bool(armour.run_attack("pgd", wrapped, x, y, eps=0.3).success.any()),
        "forward": bool((chosen(x) == armour.wrap(net)(x)).all()),
        "not callable": refusal(net.params, backend="jax"),
        "device": refusal(net, device="cpu:7"),
    }


def untraceable():
    """A network with a Python `if` on its values is attacked eagerly."""
    net, x, y = small()
    looking = armour.wrap(JaxModel(lambda p, x: dense(p, x) * (2.0 if x.sum() > -1 else 1.0), net.params))
    plain = armour.wrap(JaxModel(lambda p, x: dense(p, x) * 2.0, net.params))
    a, b = (armour.run_attack(armour.create("attack", "pgd", steps=4), m, x, y, eps=0.1) for m in (looking, plain))
    return {
        "warnings": list(a.warnings),
        "same": bool((a.success == b.success).all() and (a.queries.forward == b.queries.forward).all()),
        "apart": float(abs(a.x_adv() - b.x_adv()).max()),
    }


def devices():
    """With two devices, a model on the second one is computed there."""
    from armour_jax.backend import backend_for

    net, x, y = small()
    second = jax.devices()[1]
    net.params = jax.device_put(net.params, second)
    model = armour.wrap(net)
    result = armour.run_attack("pgd", model, jax.device_put(x, jax.devices()[0]), y, eps=0.1)
    try:
        armour.wrap(net, device="cpu")
    except armour.ConfigError as error:
        refused = str(error)
    net.params = {"hidden": jax.device_put(net.params["hidden"], jax.devices()[0]), "last": net.params["last"]}
    try:
        armour.wrap(net)
    except armour.ConfigError as error:
        scattered = str(error)
    return {
        "device": model.backend.device,
        "placed": [str(place) for place in result.x_adv().devices()] == [str(second)],
        "one": backend_for("cpu") is backend_for("cpu:0"),
        "success": float(result.success.mean()),
        "refused": refused,
        "scattered": scattered,
    }


@frozen(kw_only=True)
class AlongTheJacobian:
    """One Linf step along the sum of all classes' gradients."""

    norm: str = "linf"
    steps: int = 1

    def start(self, p, rng):
        return {"x": p.x}

    def step(self, p, state, k, rng):
        _, rows = p.jacobian(state["x"])
        return {"x": p.inside(state["x"] + p.eps * p.xp.sign(p.xp.sum(rows, axis=1)))}

    def finish(self, p, state):
        return state["x"]


def jacobian():
    """Of a linear network, compiled: the weights."""
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((6, 3)).astype(np.float32), rng.standard_normal((12, 6)).astype(np.float32)
    model = armour.wrap(JaxModel(lambda w, x: x @ w, jnp.asarray(w)), bounds=(-9, 9))
    result = armour.run_attack(AlongTheJacobian(), model, x, (x @ w).argmax(1), eps=0.25, until="max_loss")
    moved = result.x_adv() - x
    kept = abs(moved).max(1) > 0  # a row whose loss fell gives its clean point
    return {
        "kept": int(kept.sum()),
        "apart": float(abs(moved[kept] - 0.25 * np.sign(w.sum(1))).max()),
        "backward": sorted(set(result.queries.backward.tolist())),
    }


def released():
    """What is left of a network that was attacked and is referred to by nobody."""

    def attacked():
        net, x, y = small()
        model = armour.wrap(net)
        for name in ("pgd", "square"):
            armour.run_attack(armour.create("attack", name, steps=3), model, x, y, eps=0.1)
        return weakref.ref(net), weakref.ref(model)

    references = attacked()
    gc.collect()
    return {"gone": all(reference() is None for reference in references), "arrays": len(jax.live_arrays())}


def loops():
    """Chunks of steps as one program each, as on an accelerator, beside steps as one program each."""
    net, x, y = small()
    backend = armour.wrap(net).backend
    kept = {}
    for backend.loops in (False, True):
        model = armour.wrap(net)
        for name, settings, eps in (("pgd", {}, 0.25), ("square", {"steps": 50}, 0.25), ("cw", {"steps": 30}, None)):
            attack = armour.create("attack", name, **settings)
            kept[name, backend.loops] = armour.run_attack(attack, model, x, y, eps=eps, seed=3)
    pairs = [(kept[name, False], kept[name, True]) for name, whole in kept if whole]
    return {
        "same_counts": all(bool((a.queries.forward == b.queries.forward).all()) for a, b in pairs),
        "same_success": all(bool((a.success == b.success).all()) for a, b in pairs),
        "success": [float(a.success.mean()) for a, _ in pairs],
        "apart": max(float(abs(a.x_adv() - b.x_adv()).max()) for a, b in pairs),
    }


def settings():
    """What a run changes in JAX's own configuration."""
    before = dict(jax.config.values)
    net, x, y = small()
    armour.run_attack("square", armour.wrap(net), x, y, eps=0.1, budget=20)
    return {name: str(value) for name, value in jax.config.values.items() if before.get(name) != value}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
