"""torch's networks, each kind of them: recognised, answered from in evaluation mode, and left as they were."""

import os
import random
import subprocess
import sys
import textwrap
import threading
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import armour_core as armour  # noqa: E402
from armour_core import ConfigError, DataError, registry  # noqa: E402
from armour_core.locks import lock_of  # noqa: E402

X = np.random.default_rng(0).random((20, 3, 8, 8)).astype(np.float32)


class Residual(nn.Module):
    """Tied weights, an unregistered list, a frozen part, a submodule already in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.frozen = nn.BatchNorm2d(4).eval()
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4 * 8 * 8, 5)
        self.first.weight.requires_grad_(False)

    def forward(self, x):
        x = self.first(x)
        x = functional.relu(x + self.frozen(self.norm(x)), inplace=True)
        return self.head(self.drop(x.flatten(1)))


def small(seed=0):
    torch.manual_seed(seed)
    net = Residual()
    with torch.no_grad():
        net.norm.running_mean.uniform_()
        net.norm.running_var.uniform_(0.5, 2)
    return net


def snapshot(net):
    """Everything a call could disturb, as bytes."""
    module = getattr(net, "_orig_mod", net)
    return {
        "state": {k: v.numpy().tobytes() for k, v in module.state_dict(keep_vars=False).items()},
        "versions": [t._version for t in (*module.parameters(), *module.buffers())],
        "flags": [getattr(m, "training", None) for m in net.modules()],
        "requires_grad": [p.requires_grad for p in net.parameters()],
        "grad": [None if p.grad is None else p.grad.numpy().tobytes() for p in net.parameters()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()],
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": repr(np.random.get_state()),
        "python": random.getstate(),
        "grad mode": torch.is_grad_enabled(),
    }


def reference(net, x=X):
    """The answer in evaluation mode, by torch's own means, on a copy."""
    import copy

    with torch.no_grad():
        return copy.deepcopy(net).eval()(torch.from_numpy(x))


def asked_of_all(net):
    """The names of the backends that claim this object, whoever is asked first."""
    hooks = registry.registry()._calls("armour_infer_backend", {"net": net})
    return {answer for answer in (ask() for _, ask in hooks) if answer}


# ---- the table: what is found and how it is treated


@pytest.mark.parametrize("kind", ["module", "compiled", "parallel", "scripted", "traced", "graph", "exported"])
def test_each_kind_answers_as_the_network_does(kind):
    net = small()
    want = reference(net)
    wrapped = {
        "module": lambda: net,
        "compiled": lambda: torch.compile(net, backend="eager"),
        "parallel": lambda: nn.DataParallel(net),
        "scripted": lambda: torch.jit.script(net),
        "traced": lambda: torch.jit.trace(net.eval(), torch.from_numpy(X[:2])),
        "graph": lambda: torch.fx.symbolic_trace(net),
        "exported": lambda: torch.export.export(
            net.eval(), (torch.from_numpy(X[:2]),), dynamic_shapes=({0: torch.export.Dim("n")},)
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jit is announced as deprecated
        given = wrapped[kind]()
    assert asked_of_all(given) == {"torch"}
    model = armour.wrap(given)
    assert model.backend.name == "torch"
    notes = model.examine(model.admit(X))
    torch.testing.assert_close(model(X), want)
    assert model.num_classes == 5
    assert model.capabilities >= {"autodiff", "scores", "labels"}
    assert model.local
    assert (notes == ()) == (kind in ("traced", "exported")), notes  # the others were in training mode
    value = model.backend.value_and_grad(lambda x: (model.forward(x).sum(), ()))
    with model.running():
        _, gradient = value(model.admit(X))
    assert gradient.abs().sum() > 0


def test_compiled_parallel_and_plain_wrappers_share_one_lock():
    net = small()
    models = [armour.wrap(n) for n in (net, torch.compile(net, backend="eager"), nn.DataParallel(net))]
    assert all(model.native is net for model in models)
    assert len({lock_of(model.native) for model in models}) == 1
    assert [model.name for model in models] == ["Residual"] * 3


def test_a_compiled_network_answers_itself():
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    net = torch.compile(small(), backend=backend)
    armour.wrap(net)(X)
    assert compiled


def test_distributed_data_parallel():
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        net = small()
        model = armour.wrap(nn.parallel.DistributedDataParallel(net))
        assert model.native is net
        torch.testing.assert_close(model(X), reference(net))
        assert not any("module." in name for name in model.net.buffers())
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
def test_a_frozen_script_answers_and_says_so():
    frozen = torch.jit.freeze(torch.jit.script(small().eval()))
    model = armour.wrap(frozen)
    assert model(X).shape == (20, 5)
    assert model.examine(model.admit(X)) == ()
    assert model.name == "Residual"


@pytest.mark.filterwarnings("ignore")
def test_a_trace_made_in_training_mode_is_noted():
    net = small()
    trace = torch.jit.trace(net, torch.from_numpy(X[:2]), check_trace=False)
    before = snapshot(trace)
    model = armour.wrap(trace)
    assert any("traced in training mode" in note for note in model.notes)
    notes = model.examine(model.admit(X))
    assert any("changes norm.running_mean" in note for note in notes)
    assert any("two equal calls differ" in note for note in notes)
    model(X)
    after = snapshot(trace)
    before.pop("versions"), after.pop("versions")  # running averages were moved, and put back
    assert after == before


def test_an_export_with_a_fixed_batch_says_what_to_export_with():
    program = torch.export.export(small().eval(), (torch.from_numpy(X[:4]),))
    model = armour.wrap(program)
    assert model(X[:4]).shape == (4, 5)
    with pytest.raises(DataError, match=r"exported for batches of exactly 4; here are 16 rows.*\n.*dynamic_shapes="):
        model.examine(model.admit(X))
    assert model.native is program


def test_an_export_from_training_mode_is_refused_and_left_as_it_was():
    net = small()
    program = torch.export.export(net, (torch.from_numpy(X[:4]),), dynamic_shapes=({0: torch.export.Dim("n")},))
    module = program.module()
    assert asked_of_all(module) == {"torch"}
    for given in (program, module):
        model = armour.wrap(given)
        before = {name: value.tobytes() for name, value in model.net.buffers().items()}
        for ask in (lambda model=model: model(X), lambda model=model: model.examine(model.admit(X))):
            with pytest.raises(DataError, match=r"updates norm.\w+ in evaluation mode.*\n  Call net.eval\(\)"):
                ask()
        assert {name: value.tobytes() for name, value in model.net.buffers().items()} == before


# ---- functions


NET = small()
SCALE = torch.tensor(2.0, dtype=torch.float64)


def through_the_net(x):
    return NET(x)


def arrays_in_and_out(x):
    with torch.no_grad():
        return NET(torch.from_numpy(x)).numpy()


def test_a_function_over_tensors():
    assert asked_of_all(through_the_net) == {"torch"}
    NET.train()
    model = armour.wrap(through_the_net)
    assert any("Residual, which through_the_net uses, is in training mode" in note for note in model.notes)
    model(X)
    assert NET.training
    NET.eval()
    assert armour.wrap(through_the_net).notes == ()
    torch.testing.assert_close(model(X), reference(NET))
    assert "autodiff" in model.capabilities
    assert model.fingerprint() is None


def test_a_function_that_converts_arrays_itself_is_a_black_box():
    NET.eval()
    assert asked_of_all(arrays_in_and_out) == {"numpy"}
    model = armour.wrap(arrays_in_and_out)
    assert not model.local
    assert isinstance(model(X), np.ndarray)
    NET.train()
    assert any(
        "Residual, which the function uses, is in training mode" in n for n in armour.wrap(arrays_in_and_out).notes
    )


def test_compiled_functions_methods_lambdas_and_scripts_belong_to_torch():
    NET.eval()
    compiled = torch.compile(lambda x: x.flatten(1).exp(), backend="eager")  # refers to torch nowhere
    for function in (compiled, lambda x: torch.flatten(x, 1), NET.forward, nn.Sequential(NET).forward):
        assert asked_of_all(function) == {"torch"}, function
    assert armour.wrap(compiled)(X).shape == (20, 192)
    assert armour.wrap(NET.forward)(X).shape == (20, 5)


def test_a_function_computes_in_the_dtype_of_its_networks_or_of_the_data():
    model = armour.wrap(through_the_net)
    assert model.admit(X.astype(np.float64)).dtype == torch.float32
    free = armour.wrap(lambda x: torch.flatten(x, 1) * SCALE)
    assert free.admit(X.astype(np.float64)).dtype == torch.float64
    assert free.dtype == torch.float64


def test_a_function_given_the_wrong_kind_of_arrays_is_told_so():
    def wants_tensors(x):
        return NET(x).cpu().numpy()  # `numpy` says arrays

    with pytest.raises(TypeError):
        armour.wrap(wants_tensors)(X)

    def hidden(x):
        return torch.relu(x).flatten(1).detach().tolist()

    with pytest.raises(DataError, match=r"no tensor of torch.*\n.*wrap\(net, backend='numpy'\)"):
        armour.wrap(hidden)(X)


# ---- as it was


@pytest.mark.parametrize("trained", ["training", "mixed", "evaluation"])
def test_the_network_is_as_it_was(trained):
    net = small()
    if trained == "mixed":
        net.eval()
        net.drop.train()
        net.norm.train()
    elif trained == "evaluation":
        net.eval()
    net.head.weight.grad = torch.randn_like(net.head.weight)
    net.norm.register_forward_hook(lambda *_: None)
    before = snapshot(net)
    model = armour.wrap(net, preprocessing=((0.5, 0.4, 0.3), (0.2, 0.2, 0.2)))
    model(X)
    notes = model.examine(model.admit(X))
    with model.running(), model.running():
        model.backend.value_and_grad(lambda x: (model.forward(x).sum(), ()))(model.admit(X))
    model.fingerprint()
    assert snapshot(net) == before
    assert any("was in training mode" in note for note in notes) == (trained != "evaluation")
    if trained == "mixed":
        assert any("(2 of its 6 modules)" in note for note in notes)


@pytest.mark.parametrize("where", ["call", "examine", "gradient"])
def test_the_network_is_as_it_was_after_an_exception(where):
    class Fails(Residual):
        def forward(self, x):
            super().forward(x)
            raise KeyError("in the user's forward")

    torch.manual_seed(0)
    net = Fails()
    before = snapshot(net)
    model = armour.wrap(net)

    def gradient():
        with model.running():
            model.backend.value_and_grad(lambda x: (model.forward(x).sum(), ()))(model.admit(X))

    ask = {"call": lambda: model(X), "examine": lambda: model.examine(model.admit(X)), "gradient": gradient}
    with pytest.raises(DataError if where == "examine" else KeyError, match="in the user's forward"):
        ask[where]()
    assert snapshot(net) == before
    assert lock_of(net).depth == 0


def test_train_and_eval_that_the_user_overrides_are_not_called():
    class Frozen(Residual):
        def train(self, mode=True):
            raise AssertionError("called")

        eval = train

    net = Frozen()
    net.norm.training = False
    before = snapshot(net)
    model = armour.wrap(net)
    model.examine(model.admit(X))
    assert snapshot(net) == before


def test_flags_that_the_forward_sets_are_put_back():
    class Stubborn(Residual):
        def forward(self, x):
            self.train()
            return super().forward(x)

    net = Stubborn().eval()
    before = snapshot(net)
    model = armour.wrap(net)
    for _ in range(2):
        model(X)
        after = snapshot(net)
        assert after["flags"] == before["flags"]
        assert after["state"] == before["state"]
        assert after["torch"] == before["torch"]


def test_a_pending_backward_pass_is_not_disturbed():
    net = small()  # moves its averages: training
    loss = net(torch.from_numpy(X)).sum()
    model = armour.wrap(net)
    model.examine(model.admit(X))
    loss.backward()
    assert net.head.weight.grad is not None


def test_batch_norm_kept_in_training_mode_is_put_back_and_named():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(3))
            self.register_buffer("var", torch.ones(3))

        def forward(self, x):
            return functional.batch_norm(x, self.mean, self.var, training=True).flatten(1)

    net = Functional()
    before = snapshot(net)
    model = armour.wrap(net)
    notes = model.examine(model.admit(X))
    assert any("changes mean, var in evaluation mode; they are put back" in note for note in notes)
    assert any("mixes the rows" in note for note in notes)
    model(X)
    assert snapshot(net)["state"] == before["state"]


def test_batch_norm_without_running_statistics_couples_the_batch():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten()).eval()
    model = armour.wrap(net)
    assert any("mixes the rows of a batch in evaluation mode (look at 1)" in n for n in model.examine(model.admit(X)))


def test_dropout_in_evaluation_draws_from_a_stream_of_its_own():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(192, 5)

        def forward(self, x):
            return self.head(functional.dropout(x.flatten(1), 0.5, training=True))

    torch.manual_seed(0)
    net = Noisy()
    before = snapshot(net)
    model = armour.wrap(net)
    notes = model.examine(model.admit(X))
    assert model.randomized
    assert any("draws from torch's generator" in note for note in notes)
    assert not torch.equal(model(X), model(X))
    model.reseed(7)
    first = model(X)
    torch.manual_seed(99)
    model.reseed(7)
    assert torch.equal(model(X), first)
    torch.set_rng_state(torch.frombuffer(bytearray(before["torch"]), dtype=torch.uint8))
    model(X)
    after = snapshot(net)
    before.pop("flags"), after.pop("flags")
    assert after == before


def test_threads_take_turns_and_flags_survive():
    net = small()
    want = reference(net)
    before = snapshot(net)
    models = [armour.wrap(net), armour.wrap(net)]
    wrong = []

    def work(model):
        for _ in range(30):
            with model.running():
                if any(m.training for m in net.modules()) or not torch.allclose(model(X), want, atol=1e-5):
                    wrong.append(1)

    threads = [threading.Thread(target=work, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert snapshot(net) == before


# ---- gradients, whatever the caller's mode


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_come_under_the_callers_no_grad_and_inference_mode(mode):
    net = small().requires_grad_(False)
    model = armour.wrap(net)
    with mode():
        x = model.admit(torch.from_numpy(X).clone())
        notes = model.examine(x)
        with model.running():
            _, gradient = model.backend.value_and_grad(lambda z: (model.forward(z).sum(), ()))(x)
    assert gradient.abs().sum() > 0
    assert not any(p.requires_grad for p in net.parameters())
    assert notes


def test_weights_made_in_inference_mode_cannot_be_differentiated_and_it_says_so():
    with torch.inference_mode():
        net = small()
    model = armour.wrap(net)
    assert "autodiff" not in model.capabilities
    assert any("created under torch.inference_mode()" in note for note in model.notes)
    assert model(X).shape == (20, 5)


def test_a_call_keeps_the_callers_graph():
    x = torch.from_numpy(X).requires_grad_()
    model = armour.wrap(small())
    model(x).sum().backward()
    assert x.grad is not None
    assert not model.admit(x).requires_grad


def test_a_network_that_detaches_or_has_no_gradient_is_noticed():
    class Rounds(nn.Module):
        def forward(self, x):
            return (x * 4).round().flatten(1)

    class Refuses(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.flatten(1)

    for net, said in [
        (Rounds(), "no gradient of Rounds reaches the input"),
        (lambda x: torch.tensor(x.tolist()).flatten(1), "no gradient of <lambda> reaches the input"),
    ]:
        model = armour.wrap(net)
        assert any(note.startswith(said) for note in model.examine(model.admit(X)))
        assert "autodiff" in model.capabilities
    refuses = armour.wrap(lambda x: Refuses.apply(x))
    assert any("gives no gradients: NotImplementedError" in note for note in refuses.examine(refuses.admit(X)))
    assert "autodiff" not in refuses.capabilities


# ---- dtype, device, layout, outputs


@pytest.mark.parametrize(("dtype", "fed"), [("float64", "float64"), ("float16", "float16"), ("bfloat16", "float32")])
def test_data_comes_in_the_networks_dtype(dtype, fed):
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 5)).to(getattr(torch, dtype))
    model = armour.wrap(net)
    assert model.admit(X).dtype == getattr(torch, fed)
    model.examine(model.admit(X))
    assert str(model(X).dtype) == f"torch.{dtype}"


def test_a_network_is_never_moved():
    with pytest.raises(ConfigError, match=r"on the meta device, without values.*to_empty"):
        armour.wrap(nn.Linear(2, 2, device="meta"))
    assert armour.wrap(small(), device="cpu").backend.device == "cpu"
    with pytest.raises(ConfigError):
        armour.wrap(small(), device="cuda:7")


def test_the_channel_axis_comes_from_the_first_layer():
    odd = np.random.default_rng(0).random((4, 8, 8, 8))  # all axes alike
    conv = armour.wrap(nn.Sequential(nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten()))
    conv.admit(odd)
    assert conv.channel_axis == 1
    dense = armour.wrap(nn.Sequential(nn.Flatten(), nn.Linear(512, 4)))
    assert any("which axis" in note for note in dense.examine(dense.admit(odd)))


def test_wrong_order_of_axes_is_named():
    model = armour.wrap(small())
    last = np.moveaxis(X, 1, -1)
    with pytest.raises(DataError, match=r"RuntimeError: Given groups=1.*\n  It takes channels first"):
        model.examine(model.admit(last))
    with pytest.raises(DataError, match=r"single image: pass x\[None\]"):
        model.examine(model.admit(X[0]))  # a convolution takes it, as an image without a batch
    with pytest.raises(DataError, match=r"does not take x of shape \(16, 2, 8, 8\).*\n  Check the shape"):
        model.examine(model.admit(X[:, :2]))


def test_named_inputs_chosen_outputs_and_fixed_ones():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = small()

        def forward(self, pixels=None, mask=None):
            logits = self.net(pixels if mask is None else pixels * mask)
            return {"loss": None, "logits": logits, "twice": 2 * logits}

    net = Two()
    want = reference(net.net)
    torch.testing.assert_close(armour.wrap(net, input="pixels")(X), want)
    torch.testing.assert_close(armour.wrap(net, input="pixels", output="twice")(X), 2 * want)
    zero = armour.wrap(net, forward=lambda net, x: net(x, mask=0.0)["logits"])
    torch.testing.assert_close(zero(X), reference(net.net, 0 * X))


def test_softmax_in_the_network_is_noticed():
    model = armour.wrap(nn.Sequential(small(), nn.Softmax(dim=1)))
    with pytest.raises(DataError, match="outputs='probabilities'"):
        model.examine(model.admit(X))
    log = armour.wrap(nn.Sequential(small(), nn.LogSoftmax(dim=1)).eval())
    assert log.examine(log.admit(X)) == ()


def test_half_a_network_of_nans_is_reported():
    net = small()
    with torch.no_grad():
        net.head.weight[0] = torch.nan
    model = armour.wrap(net)
    with pytest.raises(DataError, match=r"not finite: 16 of 16 rows.*\n.*weights"):
        model.examine(model.admit(X))


def test_a_fingerprint_is_the_weights_and_not_the_mode():
    net = small()
    first = armour.wrap(net).fingerprint()
    assert armour.wrap(net.eval()).fingerprint() == first
    assert armour.wrap(small()).fingerprint() == first
    assert armour.wrap(torch.compile(net, backend="eager")).fingerprint() == first
    with torch.no_grad():
        net.norm.running_mean += 1e-6
    assert armour.wrap(net).fingerprint() != first
    assert armour.wrap(small().to(torch.bfloat16)).fingerprint() != first


# ---- Keras that computes with torch


def test_keras_on_torch():
    pytest.importorskip("keras")
    code = """
    import numpy as np, torch, keras
    import armour_core as armour
    from armour_core import registry

    keras.utils.set_random_seed(0)
    X = np.random.default_rng(0).random((20, 8, 8, 3)).astype("float32")
    inner = torch.nn.Dropout(0.5)
    net = keras.Sequential([
        keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.TorchModuleWrapper(inner),
        keras.layers.Dropout(0.5), keras.layers.Flatten(), keras.layers.Dense(5)])
    answers = {f() for _, f in registry.registry()._calls("armour_infer_backend", {"net": net})} - {None}
    assert answers == {"torch"}, answers
    model = armour.wrap(net, preprocessing=((0.5, 0.4, 0.3), (0.2, 0.2, 0.2)))
    model(X)                                      # builds it
    inner.train()
    def state():
        return ([v.value.detach().numpy().tobytes() for v in net.variables], [m.training for m in net.modules()],
                [p.requires_grad for p in net.parameters()], torch.get_rng_state().numpy().tobytes())
    before = state()
    notes = model.examine(model.admit(X))
    assert model.num_classes == 5 and model.channel_axis == 3 and model.backend.name == "torch", model
    assert any("training mode" in note for note in notes), notes
    assert not any("differ" in note for note in notes), notes
    with model.running():
        _, g = model.backend.value_and_grad(lambda x: (model.forward(x).sum(), ()))(model.admit(X))
    assert g.abs().sum() > 0
    assert state() == before
    again = armour.wrap(net, preprocessing=((0.5, 0.4, 0.3), (0.2,) * 3))
    assert model.fingerprint() and model.fingerprint() == again.fingerprint()

    class Hard(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm, self.drop = keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)
            self.flat = keras.layers.Flatten()
        def call(self, x):
            return self.flat(self.drop(self.norm(x, training=True), training=True))
    net = Hard(); net(X, training=False)
    before = state()
    model = armour.wrap(net)
    notes = model.examine(model.admit(X))
    assert any("moving_mean" in note and "training=True" in note for note in notes), notes
    assert any("seed" in note for note in notes) and model.randomized, notes
    assert not torch.equal(model(X), model(X))
    assert state() == before
    """
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
