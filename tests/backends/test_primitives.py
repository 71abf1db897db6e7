"""What a backend does beyond the functions of its namespace: placing, differentiating, looping, selecting."""

import functools
import logging
import os
import subprocess
import sys
import textwrap
from typing import Any, NamedTuple

import numpy as np
import pytest

from armour_core.errors import ConfigError, ContractError, DataError, MissingCapability

torch = functools.partial(pytest.importorskip, "torch")
tensorflow = functools.partial(pytest.importorskip, "tensorflow")


def f32(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


def run_python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: TensorFlow's devices and oneDNN are decided once."""
    paths = os.pathsep.join(p for p in sys.path if p)
    env = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", **env}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=env, capture_output=True, text=True, timeout=120, check=False
    )


# ---- placing


def test_round_trip_keeps_values_and_dtypes(backend: Any) -> None:
    names = ("float32", "float64", "int32", "int64", "uint8", "bool", *["float16"] * (backend.name != "strict"))
    for name in names:
        for x in (np.arange(6).reshape(2, 3).astype(name), np.ones((), name), np.zeros((0, 2), name)):
            t = backend.asarray(x)
            assert backend.is_native(t)
            assert t.dtype == getattr(backend.xp, name)
            back = backend.to_numpy(t)
            assert (back.dtype, back.shape) == (x.dtype, x.shape)
            np.testing.assert_array_equal(back, x)
            again = backend.asarray(t)
            assert again.dtype == t.dtype


def test_numbers_and_lists(backend: Any) -> None:
    assert tuple(backend.asarray([[1.0, 2.0]]).shape) == (1, 2)
    assert int(backend.asarray(3)) == 3
    assert backend.asarray([True, False]).dtype == backend.xp.bool
    assert not backend.is_native([1.0])
    assert not backend.is_native(1.0)


@pytest.mark.parametrize("source", ["numpy", "list", "native"])
def test_dtype_by_name_or_by_itself(backend: Any, source: str) -> None:
    xp = backend.xp
    x: Any = {"numpy": np.array([1, 2, 300]), "list": [1, 2, 300], "native": backend.asarray(np.array([1, 2, 300]))}[
        source
    ]
    for dtype, wanted in (("float32", xp.float32), (xp.float32, xp.float32), ("int32", xp.int32), (xp.int64, xp.int64)):
        t = backend.asarray(x, dtype)
        assert t.dtype == wanted
        np.testing.assert_array_equal(backend.to_numpy(t), [1, 2, 300])


def test_awkward_arrays_are_taken(backend: Any) -> None:
    """Backward, read-only, transposed, byte-swapped, scalars of NumPy."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    frozen = x.copy()
    frozen.flags.writeable = False
    for awkward in (x[::-1], x.T, frozen, x.astype(">f4"), x[:, ::2], np.float32(3), np.asfortranarray(x)):
        np.testing.assert_array_equal(backend.to_numpy(backend.asarray(awkward)), awkward)


def test_text_is_no_tensor(backend: Any) -> None:
    if backend.name in ("numpy", "strict"):
        pytest.skip("holds what NumPy holds")
    with pytest.raises(DataError, match="Pass numbers"):
        backend.asarray(np.array(["a", "b"]))


def test_one_instance_per_device(backend: Any) -> None:
    if backend.name == "strict":
        pytest.skip("has no state")
    module = sys.modules[type(backend).__module__]
    assert module.backend_for("cpu") is backend
    assert module.backend_for("auto") is module.backend_for(module.backend_for("auto").device)
    assert backend.device == "cpu"


@pytest.mark.parametrize("device", ["cuda:97", "GPU:97", "toaster", "cpu:x", "", "meta"])
def test_unknown_device_is_refused_by_name(backend: Any, device: str) -> None:
    with pytest.raises(ConfigError, match="cpu") as error:
        sys.modules[type(backend).__module__].backend_for(device)
    assert repr(device) in str(error.value)


def test_tensorflow_places_on_the_device_it_owns() -> None:
    done = run_python("""
        import numpy as np
        from armour_backends.tensorflow.load import tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        from armour_backends.tensorflow.backend import backend_for
        from armour_core.errors import ConfigError
        first, second = backend_for("cpu"), backend_for("CPU:1")
        assert (first.device, second.device) == ("cpu", "CPU:1")
        assert backend_for("cpu:1") is second and first is backend_for("auto") is not second
        assert second.device in repr(second)
        def on(t, n): assert t.device.endswith(f"CPU:{n}"), t.device
        for b, n in ((first, 0), (second, 1)):
            xp = b.xp
            x = b.asarray(np.ones((3, 2), np.float32))
            on(x, n)
            on(b.asarray([1.0, 2.0]), n); on(b.asarray(1), n); on(b.asarray(x, "float64"), n)
            on(b.asarray((second if b is first else first).asarray(np.zeros(3))), n)
            for t in (xp.zeros((2,)), xp.arange(3), xp.full((2,), 1.0), xp.exp(x), xp.sum(x, axis=0)):
                on(t, n)
            (value, aux), g = b.value_and_grad(lambda z: (xp.sum(z * z), z + 1))(x)
            on(value, n); on(aux, n); on(g, n)
            y, pull = b.vjp(lambda z: z * z, x)
            on(y, n); on(pull(x), n)
            on(b.compile(lambda z: z * 2)(x), n)
            carry = b.iterate(lambda c, r, s, k: {"x": c["x"] + r["y"]})({"x": x}, {"y": x}, {}, 0, 3)
            on(carry["x"], n)
            rows = b.asarray(np.array([True, False, True]))
            on(b.select(rows, x, x), n); on(b.cross_entropy(x, b.asarray(np.zeros(3, np.int32))), n)
            on(b.rng(0).bind(b.asarray(np.arange(3, dtype=np.int32)), 2, None).uniform((3, 2)), n)
            b.synchronize()
            assert xp.float32 is tf.float32
        try:
            backend_for("CPU:2")
        except ConfigError as error:
            assert "cpu, CPU:1" in str(error), error
        else:
            raise AssertionError("CPU:2 does not exist")
        print("placed")
    """)
    assert done.stdout.strip() == "placed", done.stderr


def test_filter_gradient_that_onednn_dies_of() -> None:
    """The filter gradient of a 1x1 stride-2 SAME convolution, TF 2.21 on CPU: it writes past its memory.

    With oneDNN these shapes end in "corrupted size vs. prev_size" or the like, every time.
    """
    code = """
        import itertools, os
        os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None)
        import armour_backends.tensorflow.backend
        assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"
        import tensorflow as tf
        for n, size, (ins, outs) in itertools.product((1, 16), (8, 16, 17, 32), ((8, 16), (16, 32), (64, 128))):
            x, w = tf.random.normal((n, size, size, ins)), tf.Variable(tf.random.normal((1, 1, ins, outs)))
            for _ in range(3):
                with tf.GradientTape() as tape:
                    y = tf.reduce_sum(tf.nn.conv2d(x, w, 2, "SAME") ** 2)
                assert tape.gradient(y, w).shape == w.shape
        print("alive")
    """
    tensorflow()
    done = run_python(code, TF_NUM_INTRAOP_THREADS="2")
    assert done.stdout.strip() == "alive", f"exit {done.returncode}: {done.stderr}"


def test_users_choice_of_onednn_stands() -> None:
    tensorflow()
    done = run_python(
        "import os, armour_backends.tensorflow.load; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])",
        TF_ENABLE_ONEDNN_OPTS="1",
    )
    assert done.stdout.strip() == "1", done.stderr


# ---- differentiating


class Named(NamedTuple):
    tensor: Any
    number: int


def squares(backend: Any) -> Any:
    xp = backend.xp
    return lambda z: (xp.sum(z * z * z), {"twice": 2.0 * z, "none": None, "list": [z, (z,)], "named": Named(z, 3)})


def test_value_and_gradient(autodiff_backend: Any) -> None:
    b = autodiff_backend
    x = f32([1, -2], [3, 0.5])
    (value, aux), gradient = b.value_and_grad(squares(b))(b.asarray(x))
    np.testing.assert_allclose(b.to_numpy(value), (x**3).sum(), rtol=1e-6)
    np.testing.assert_allclose(b.to_numpy(gradient), 3 * x**2, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(b.to_numpy(aux["twice"]), 2 * x)
    np.testing.assert_array_equal(b.to_numpy(aux["list"][1][0]), x)
    assert aux["none"] is None
    assert (type(aux["named"]), aux["named"].number) == (Named, 3)
    assert gradient.dtype == b.xp.float32


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_gradient_has_the_dtype_of_x(autodiff_backend: Any, dtype: str) -> None:
    b = autodiff_backend
    if b.name == "strict" and dtype == "float16":
        pytest.skip("the standard has no float16")
    x = b.asarray(np.array([1.0, 2.0], dtype))
    _, gradient = b.value_and_grad(squares(b))(x)
    assert gradient.dtype == getattr(b.xp, dtype)
    np.testing.assert_allclose(b.to_numpy(gradient), [3.0, 12.0], rtol=1e-6)


def test_function_that_ignores_x_has_no_gradient(autodiff_backend: Any) -> None:
    b = autodiff_backend
    x, other = b.asarray(f32(1, 2, 3)), b.asarray(f32(4, 5, 6))
    (value, _), gradient = b.value_and_grad(lambda z: (b.xp.sum(other), None))(x)
    assert float(value) == 15
    np.testing.assert_array_equal(b.to_numpy(gradient), [0, 0, 0])
    y, pull = b.vjp(lambda z: other * 2.0, x)
    np.testing.assert_array_equal(b.to_numpy(y), [8, 10, 12])
    np.testing.assert_array_equal(b.to_numpy(pull(other)), [0, 0, 0])


def test_gradient_of_what_stopped_is_zero(autodiff_backend: Any) -> None:
    b = autodiff_backend
    if b.name == "strict":
        pytest.skip("differences see values, not graphs")
    x = b.asarray(f32(1, 2))
    _, gradient = b.value_and_grad(lambda z: (b.xp.sum(z * b.stop_gradient(z)), None))(x)
    np.testing.assert_array_equal(b.to_numpy(gradient), [1, 2])


def test_integers_have_no_gradient(autodiff_backend: Any) -> None:
    b = autodiff_backend
    x = b.asarray(np.array([1, 2], np.int32))
    with pytest.raises(DataError, match="astype"):
        b.value_and_grad(squares(b))(x)


def test_vjp_pulls_several_times(autodiff_backend: Any) -> None:
    """The Jacobian, row by row."""
    b = autodiff_backend
    x, w = f32(1, 2, 3), np.arange(6, dtype=np.float32).reshape(2, 3)
    matrix = b.asarray(w)
    y, pull = b.vjp(lambda z: b.xp.matmul(b.xp.astype(matrix, z.dtype), z * z), b.asarray(x))
    np.testing.assert_allclose(b.to_numpy(y), w @ x**2)
    for row in (0, 1, 0):
        cotangent = b.asarray(np.eye(2, dtype=np.float32)[row])
        np.testing.assert_allclose(b.to_numpy(pull(cotangent)), w[row] * 2 * x, rtol=1e-5, atol=1e-6)


def test_vjp_inside_compiled_code(autodiff_backend: Any) -> None:
    b = autodiff_backend

    def both(x: Any) -> Any:
        _, pull = b.vjp(lambda z: z * z, x)
        return [pull(x), pull(x * 0.0 + 1.0)]

    once, twice = b.compile(both)(b.asarray(f32(1, 2, 3)))
    np.testing.assert_allclose(b.to_numpy(once), [2, 8, 18], rtol=1e-5)
    np.testing.assert_allclose(b.to_numpy(twice), [2, 4, 6], rtol=1e-5)


def test_numpy_says_what_to_do_instead() -> None:
    from armour_backends.numpy.backend import backend_for

    b = backend_for()
    assert "autodiff" not in b.capabilities
    for ask in (lambda: b.value_and_grad(lambda z: (z, None)), lambda: b.vjp(lambda z: z, np.ones(2))):
        with pytest.raises(MissingCapability, match=r"autodiff.*black-box"):
            ask()


def linear(weight: np.ndarray) -> Any:
    module = torch().nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    with torch().no_grad():
        module.weight.copy_(torch().from_numpy(weight))
    return module


@pytest.mark.parametrize("mode", ["enable_grad", "no_grad", "inference_mode"])
def test_torch_gradients_under_every_grad_mode(torch_backend: Any, mode: str) -> None:
    """The caller's mode is neither in the way nor changed, and nobody's .grad is written."""
    b, t = torch_backend, torch()
    net = linear(np.ones((2, 3), np.float32))
    net.weight.grad = t.full((2, 3), 7.0)
    x = t.tensor([[1.0, 2.0, 3.0]], requires_grad=True)

    def loss(z: Any) -> Any:
        y = net(z)
        return (y * y).sum(), y

    def step(carry: Any, rows: Any, shared: Any, k: Any) -> Any:
        def total(z: Any) -> Any:
            return b.cross_entropy(net(z), rows["y"]).sum() + (z * z).sum(), None

        _, g = b.value_and_grad(total)(carry["x"])
        return {"x": carry["x"] - 0.1 * g}

    with getattr(t, mode)():
        inside = b.asarray(np.ones((1, 3), np.float32)) * 2.0  # in inference mode, a tensor autograd refuses
        before = t.is_inference_mode_enabled(), t.is_grad_enabled()
        for z in (x, inside, x * 1.0):
            (value, aux), gradient = b.value_and_grad(loss)(z)
            np.testing.assert_allclose(b.to_numpy(gradient), 4 * b.to_numpy(z).sum() * np.ones((1, 3)))
            assert not any(v.requires_grad for v in (value, aux, gradient))
            y, pull = b.vjp(lambda v: net(v), z)
            np.testing.assert_allclose(b.to_numpy(pull(t.ones(1, 2))), 2 * np.ones((1, 3)))
            assert not y.requires_grad
        end = b.iterate(step)({"x": inside}, {"y": t.zeros(1, dtype=t.int32)}, {}, 0, 2)
        found = b.compile(lambda z: b.value_and_grad(loss)(z)[1])(inside)
        assert (t.is_inference_mode_enabled(), t.is_grad_enabled()) == before
    assert tuple(found.shape) == (1, 3)
    assert not end["x"].requires_grad
    np.testing.assert_array_equal(net.weight.grad, np.full((2, 3), 7.0))
    assert x.grad is None
    assert x.requires_grad


def test_torch_loop_records_no_graph_between_steps(torch_backend: Any) -> None:
    """Outputs of a network with trainable weights, kept in the state, must not hold every step's graph."""
    b, t = torch_backend, torch()
    net = linear(np.eye(2, dtype=np.float32))
    end = b.iterate(lambda c, r, s, k: {"y": net(c["y"])})({"y": t.ones(1, 2)}, {}, {}, 0, 3)
    assert end["y"].grad_fn is None
    assert not end["y"].requires_grad


def test_torch_tensors_of_inference_mode_become_ordinary(torch_backend: Any) -> None:
    t = torch()
    with t.inference_mode():
        x = t.ones(3)
        assert not torch_backend.asarray(x).is_inference()
        assert not torch_backend.asarray([1.0]).is_inference()
        assert not torch_backend.asarray(np.ones(3)).is_inference()


def test_torch_changes_nothing_global(torch_backend: Any) -> None:
    t = torch()
    seen = t.get_default_dtype(), t.get_num_threads(), t.is_grad_enabled(), t.are_deterministic_algorithms_enabled()
    t.set_default_device("meta")
    try:
        assert torch_backend.xp.zeros((2,)).device.type == "cpu"
        assert torch_backend.asarray([1.0]).device.type == "cpu"
        assert torch_backend.rng(0).shared.uniform((3,)).device.type == "cpu"
    finally:
        t.set_default_device(None)
    torch_backend.value_and_grad(squares(torch_backend))(t.ones(3))
    after = t.get_default_dtype(), t.get_num_threads(), t.is_grad_enabled(), t.are_deterministic_algorithms_enabled()
    assert after == seen


def test_tensorflow_tape_leaves_variables_alone(tensorflow_backend: Any) -> None:
    """A gradient with respect to x costs none with respect to the weights, and works on a variable's value."""
    b, tf = tensorflow_backend, tensorflow()
    w = tf.Variable([[1.0], [2.0]])
    with tf.GradientTape() as users:
        (value, _), gradient = b.value_and_grad(lambda z: (b.xp.sum(z @ w), None))(tf.ones((1, 2)))
    np.testing.assert_array_equal(gradient.numpy(), [[1, 2]])
    assert float(value) == 3
    assert users.gradient(value, w) is None  # value comes back detached
    assert b.is_native(w)
    np.testing.assert_array_equal(b.to_numpy(b.asarray(w)), [[1], [2]])


# ---- looping


def climb(backend: Any) -> Any:
    """One step of gradient ascent on the cross-entropy of a linear model, with a best-so-far: what attacks do."""
    xp = backend.xp
    gradients = "autodiff" in backend.capabilities

    def step(carry: Any, rows: Any, shared: Any, k: Any) -> Any:
        def loss(x: Any) -> Any:
            each = backend.cross_entropy(xp.matmul(x, xp.astype(shared["w"], x.dtype)), rows["y"])
            return xp.sum(each), each

        (_, each), g = backend.value_and_grad(loss)(carry["x"]) if gradients else (loss(carry["x"]), carry["x"])
        better = each > carry["loss"]
        return {
            "x": xp.clip(carry["x"] + shared["size"] * xp.sign(g), 0.0, 1.0),
            "best": backend.select(better, carry["x"], carry["best"]),
            "loss": xp.maximum(each, carry["loss"]),
            "count": carry["count"] + xp.astype(better, xp.int32) * (k + 1),
        }

    return step


def climbing(backend: Any) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(4, 3)).astype(np.float32)
    carry = {"x": x, "best": x, "loss": np.full(4, -1, np.float32), "count": np.zeros(4, np.int32)}
    rows = {"y": np.array([0, 1, 1, 0], np.int32)}
    shared = {"w": rng.normal(size=(3, 2)).astype(np.float32), "size": np.float32(0.05)}
    return tuple({k: backend.asarray(v) for k, v in part.items()} for part in (carry, rows, shared))


def host(backend: Any, state: Any) -> dict[str, np.ndarray]:
    return {name: backend.to_numpy(value) for name, value in state.items()}


@pytest.mark.parametrize(("first", "n"), [(0, 0), (0, 1), (0, 7), (5, 3)])
def test_loop_is_the_step_again_and_again(backend: Any, first: int, n: int) -> None:
    step, (carry, rows, shared) = climb(backend), climbing(backend)
    found = host(backend, backend.iterate(step)(carry, rows, shared, first, n))
    expected = dict(carry)
    for k in range(first, first + n):
        expected = step(expected, rows, shared, backend.asarray(np.int32(k)))
    assert found.keys() == carry.keys()
    for name, value in host(backend, expected).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)
        assert found[name].dtype == value.dtype
    np.testing.assert_array_equal(backend.to_numpy(carry["count"]), 0)  # the caller's state is not written to


def test_step_number_is_an_int32_tensor(backend: Any) -> None:
    xp = backend.xp

    def step(carry: Any, rows: Any, shared: Any, k: Any) -> Any:
        assert backend.is_native(k)
        assert (tuple(k.shape), k.dtype) == ((), xp.int32)
        return {"sum": carry["sum"] + k, "is": xp.where(k > 6, xp.astype(k, xp.float32), carry["is"])}

    start = {"sum": backend.asarray(np.int32(0)), "is": backend.asarray(np.float32(0))}
    end = host(backend, backend.iterate(step)(start, {}, {}, 5, 3))
    assert (end["sum"], end["is"]) == (18, 7)


def test_any_keys_and_empty_states(backend: Any) -> None:
    """Keys may be anything a dict takes, in any order; a state may be empty, rows and shared too."""
    run = backend.iterate(lambda c, r, s, k: {key: c[key] + 1.0 for key in reversed(list(c))})
    odd = {"z": 0.0, "a b": 1.0, 3: 2.0, ("x", 1): 3.0}
    end = run({key: backend.asarray(f32(v)) for key, v in odd.items()}, {}, {}, 0, 2)
    assert {key: float(v[0]) for key, v in end.items()} == {key: v + 2 for key, v in odd.items()}
    assert backend.iterate(lambda c, r, s, k: c)({}, {}, {}, 0, 3) == {}


def test_tensorflow_does_not_warn_of_a_graph_for_each_shape(tensorflow_backend: Any, caplog: Any) -> None:
    b = tensorflow_backend
    doubled = b.compile(lambda x: x * 2)
    logging.getLogger("tensorflow").addHandler(caplog.handler)
    for rows in range(1, 13):
        doubled(b.asarray(np.ones((rows, 2), np.float32)))
    logging.getLogger("tensorflow").removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


def test_tensorflow_traces_once_for_all_numbers(tensorflow_backend: Any) -> None:
    b, traces = tensorflow_backend, []

    def step(carry: Any, rows: Any, shared: Any, k: Any) -> Any:
        traces.append(k)
        return {"x": carry["x"] + shared["by"]}

    run = b.iterate(step)
    for first, n in ((0, 10), (10, 10), (20, 3), (0, 0)):
        run({"x": b.asarray(f32(0, 0))}, {}, {"by": b.asarray(np.float32(first))}, first, n)
    assert len(traces) == 1
    run({"x": b.asarray(f32(0, 0, 0))}, {}, {"by": b.asarray(np.float32(1))}, 0, 1)
    assert len(traces) == 2  # a new shape is a new graph


def test_step_that_changes_the_state_is_refused(tensorflow_backend: Any) -> None:
    b = tensorflow_backend
    with pytest.raises(ContractError, match="Keys never change"):
        b.iterate(lambda c, r, s, k: {"y": c["x"]})({"x": b.asarray(f32(0))}, {}, {}, 0, 1)


def test_loop_inside_compiled_code(backend: Any) -> None:
    carry, rows, shared = climbing(backend)
    run = backend.iterate(climb(backend))
    plain = host(backend, run(carry, rows, shared, 2, 4))
    inside = host(backend, backend.compile(lambda c, r, s: run(c, r, s, 2, 4))(carry, rows, shared))
    for name in plain:
        np.testing.assert_allclose(inside[name], plain[name], rtol=1e-6)


def test_errors_inside_a_step_reach_the_caller(backend: Any) -> None:
    """As they are: no compiler wraps them."""

    def step(carry: Any, rows: Any, shared: Any, k: Any) -> Any:
        raise ContractError("this attack is broken")

    with pytest.raises(ContractError, match=r"^this attack is broken$"):
        backend.iterate(step)({"x": backend.asarray(f32(1))}, {}, {}, 0, 1)
    with pytest.raises(ContractError, match=r"^this attack is broken$"):
        backend.compile(lambda x: step(x, {}, {}, 0))(backend.asarray(f32(1)))


def test_compile_takes_tensors_and_dicts(backend: Any) -> None:
    f = backend.compile(lambda x, state: {"sum": x + state["a"], "list": [state["b"]]})
    found = f(backend.asarray(f32(1)), {"a": backend.asarray(f32(2)), "b": backend.asarray(f32(3))})
    assert (float(found["sum"][0]), float(found["list"][0][0])) == (3, 3)


@pytest.mark.full
def test_torch_compiled_step_is_the_eager_one() -> None:
    """compile="always": gradients, random numbers and the loop, through torch's compiler."""
    t = torch()
    from armour_backends.torch.backend import TorchBackend

    from armour_core.rng import Rng

    found = []
    for compile_ in ("never", "always"):
        b = TorchBackend("cpu", compile=compile_)
        step = climb(b)

        def noisy(carry: Any, rows: Any, shared: Any, k: Any, b: Any = b, step: Any = step) -> Any:
            rng = Rng(b, shared["key"], rows["index"], 2, None).at(k)
            new = step({name: v for name, v in carry.items() if name not in ("u", "z")}, rows, shared, k)
            return {**new, "u": carry["u"] + rng.uniform((4, 3)), "z": rng.normal((4, 3))}

        carry, rows, shared = climbing(b)
        carry |= {"u": t.zeros(4, 3), "z": t.zeros(4, 3)}
        rows["index"], shared["key"] = t.arange(4, dtype=t.int32), b.rng(3).key
        found.append(host(b, b.iterate(noisy)(carry, rows, shared, 0, 4)))
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[0]["u"], found[1]["u"])


def test_torch_compile_is_spelt_right() -> None:
    torch()
    from armour_backends.torch.backend import TorchBackend

    with pytest.raises(ConfigError, match="'never' or 'always'"):
        TorchBackend("cpu", compile="sometimes")


# ---- selecting, scoring


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 2, 1), (3, 0)])
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "uint8"])
def test_select_takes_whole_rows(backend: Any, shape: tuple[int, ...], dtype: str) -> None:
    a, b = np.ones(shape, dtype), np.zeros(shape, dtype)
    rows = np.array([True, False, True])
    found = backend.to_numpy(backend.select(*map(backend.asarray, (rows, a, b))))
    np.testing.assert_array_equal(found, np.where(rows.reshape(3, *[1] * (len(shape) - 1)), a, b))
    assert found.dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("labels", ["int32", "int64"])
def test_cross_entropy_is_stable(backend: Any, dtype: str, labels: str) -> None:
    if backend.name == "strict" and dtype == "float16":
        pytest.skip("the standard has no float16")
    logits = np.array([[1, 2, 3], [1000, 0, -1000], [0, 0, 0], [-1000, 1000, 0]], dtype)
    y = np.array([0, 0, 2, 1], labels)
    wide = logits.astype(np.float64)
    expected = np.log(np.exp(wide - wide.max(1, keepdims=True)).sum(1)) + wide.max(1) - wide[np.arange(4), y]
    found = backend.to_numpy(backend.cross_entropy(backend.asarray(logits), backend.asarray(y)))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-3 if dtype == "float16" else 1e-6, atol=1e-6)
    far = backend.cross_entropy(backend.asarray(logits), backend.asarray(np.array([2, 2, 0, 0], labels)))
    np.testing.assert_allclose(
        backend.to_numpy(far), [np.log(np.exp([-2, -1, 0]).sum()), 2000, np.log(3), 2000], rtol=1e-3
    )


def test_cross_entropy_gradient_is_softmax_less_the_label(autodiff_backend: Any) -> None:
    b = autodiff_backend
    logits, y = np.array([[0.5, -1, 2], [3, 0, 1]], np.float32), b.asarray(np.array([2, 1], np.int32))
    _, gradient = b.value_and_grad(lambda z: (b.xp.sum(b.cross_entropy(z, y)), None))(b.asarray(logits))
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(b.to_numpy(gradient), softmax - np.eye(3)[[2, 1]], atol=1e-6)


def test_synchronize_returns(backend: Any) -> None:
    assert backend.synchronize() is None


def test_names_say_who_it_is(backend: Any) -> None:
    assert backend.name in ("numpy", "torch", "tensorflow", "strict")
    assert backend.device == "cpu"
    assert type(backend.xp).__name__ == "module"
    assert type(backend).__name__ in repr(backend)
