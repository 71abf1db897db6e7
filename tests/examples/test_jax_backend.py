"""A backend from a distribution of its own: armour's attacks run on JAX, and no line of armour knows of it."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ONE_THREAD = {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed; make test-all installs it"
)


def ask(installation, question, **variables):
    """The answer of on_jax.py."""
    answer = installation.run(sys.executable, str(HERE / "on_jax.py"), question, **{**ONE_THREAD, **variables})
    assert answer.code == 0, answer.err
    return answer.json


# ---- without JAX


def test_it_is_listed_and_jax_is_not_imported(installation):
    (listed,) = installation.armour("list", "backend", "--match", "*jax*", "--json").json
    assert listed["id"] == "backend:armour-jax/jax"
    assert listed["origin"] == "armour-jax"
    found = installation.python(
        "import sys, armour_core as a\n"
        "from armour_core import registry\n"
        "print(registry.first('armour_infer_backend', net=len), 'armour_jax' in sys.modules, 'jax' in sys.modules)"
    )
    assert found.out == "numpy True False\n", found.err


def test_without_jax_the_error_says_what_to_install(installation):
    found = installation.python(
        "import sys; sys.modules['jax'] = None\n"
        "import armour_core as a\n"
        "from armour_core import registry\n"
        "try:\n    registry.load('backend', 'jax')\n"
        "except a.PluginLoadError as error:\n    print(error)"
    )
    assert "pip install jax" in found.out, found.out + found.err


def test_the_page_on_backends_shows_what_is_there():
    def lines(text):
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())

    page = (ROOT / "docs" / "writing-backends.md").read_text("utf-8")
    source = "\n".join(lines(path.read_text("utf-8")) for path in sorted((HERE / "jax_backend").rglob("*.py")))
    shown = re.findall(r"^```python\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    assert [block for block in shown if lines(block) not in source and "run_checks" not in block] == []
    files = dict(re.findall(r"^\| `(\w+\.py)` \|.*\| (\d+) \|$", page, flags=re.MULTILINE))
    there = {path.name: len(path.read_text("utf-8").splitlines()) for path in HERE.glob("jax_backend/armour_jax/*.py")}
    assert {name: pytest.approx(count, abs=10) for name, count in there.items()} == {
        n: int(c) for n, c in files.items()
    }


# ---- with JAX


@pytest.fixture(scope="module")
def attacks(installation):
    """Each attack, on the same weights under JAX and under torch."""
    pytest.importorskip("torch", reason="torch is not installed")
    return ask(installation, "attacks")


EXACT = ("fgsm", "fgsm l2", "pgd", "pgd restarts", "pgd l2", "pgd l1", "square", "square l2", "gaussian_noise")


@needs_jax
@pytest.mark.parametrize("title", [*EXACT, "cw", "hopskipjump"])
def test_an_attack_does_on_jax_what_it_does_on_torch(attacks, title):
    found = attacks[title]
    assert found["success"] > 0.3
    assert found["same_success"]
    assert found["same_counts"]
    assert found["apart"] <= (1e-6 if title in EXACT else 1e-4)
    ours, theirs = found["distance"]
    assert ours == pytest.approx(theirs, rel=1e-5)


@needs_jax
def test_without_arithmetic_to_round_there_is_not_a_bit_between_them(attacks):
    """Linf from x: signs of the gradient, and points that are x + eps or x - eps."""
    assert attacks["fgsm"]["apart"] == 0
    assert attacks["square"]["apart"] == 0


@needs_jax
def test_weights_are_arguments_of_what_is_compiled(installation):
    found = ask(installation, "arguments")
    assert found == {
        "traced": True,
        "retraced": 0,
        "repeats": True,
        "retraced_on_change": 0,
        "sees_the_change": True,
        "two networks": True,
        "two networks, changed": True,
        "two networks, retraced": 0,
    }


@needs_jax
def test_networks_of_jax_are_known_and_taken(installation):
    found = ask(installation, "wrapping")
    assert (found["model"], found["function"], found["jitted"], found["numpy function"]) == (
        "jax",
        "jax",
        "jax",
        "numpy",
    )
    assert "fixed when it is compiled" in found["notes"][0]
    assert found["fingerprints"] == 2
    assert found["bfloat16"] == ["bfloat16", "float32", "bfloat16"]
    assert found["bfloat16 falls"]
    assert found["forward"]
    assert "JaxModel(apply, params)" in found["not callable"]
    assert "'cpu:7'" in found["device"]


@needs_jax
def test_a_network_that_cannot_be_traced_is_attacked_eagerly(installation):
    found = ask(installation, "untraceable")
    assert "cannot be traced" in found["warnings"][0]
    assert found["same"]
    assert found["apart"] < 1e-6


@needs_jax
def test_a_network_is_computed_where_its_weights_are(installation):
    found = ask(installation, "devices", XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert (found["device"], found["placed"], found["one"]) == ("cpu:1", True, True)
    assert found["success"] > 0
    assert "are on cpu:1" in found["refused"]
    assert "cpu, cpu:1" in found["scattered"]


@needs_jax
def test_a_chunk_of_steps_as_one_program_does_what_single_steps_do(installation):
    """The first is for accelerators, the second for CPUs."""
    found = ask(installation, "loops")
    assert found["same_counts"]
    assert found["same_success"]
    assert all(share > 0 for share in found["success"])
    assert found["apart"] < 1e-6


@needs_jax
def test_a_jacobian_within_compiled_code_is_the_networks(installation):
    found = ask(installation, "jacobian")
    assert found["kept"] > 0
    assert found["apart"] < 1e-6
    assert found["backward"] == [3]


@needs_jax
def test_compiled_code_keeps_no_network_alive(installation):
    assert ask(installation, "released") == {"gone": True, "arrays": 0}


@needs_jax
def test_nothing_of_jax_is_set(installation):
    assert ask(installation, "settings") == {}


@needs_jax
def test_it_passes_the_conformance_checks(installation):
    checked = installation.armour("check", "armour-jax", "--json", **ONE_THREAD)
    assert checked.code == 0, checked.out + checked.err
    assert "draws_the_same_bits" in {check["check"] for check in checked.json}


@needs_jax
@pytest.mark.full
@pytest.mark.parametrize("name", ["fgsm", "pgd", "square", "cw", "hopskipjump", "gaussian_noise"])
def test_every_attack_keeps_the_contract_on_jax(installation, name):
    done = installation.python(
        "from armour_core.testing import run_checks\n"
        f"results = run_checks('attack:{name}', backends=['numpy', 'torch', 'jax'])\n"
        "print(len(results), *(f'{r.name}: {r.detail}' for r in results if not r.passed))",
        **ONE_THREAD,
    )
    count, *failed = done.out.split(maxsplit=1)
    assert not failed
    assert int(count) > 20, done.err


@needs_jax
@pytest.mark.full
def test_it_passes_the_tests_of_armours_own_backends(installation):
    """With numbers of 64 bits, which JAX has when it is told. Left out is what speaks of other backends by name, and

    any_keys: keys of a state are strings, in the protocol; JAX sorts them
    changes_the_state: the engine says it first, in one message for all
    errors_inside: the same error, to which JAX adds a note
    """
    chosen = "not torch and not tensorflow and not onednn and not numpy_says and not inside_a_graph and not names_say"
    chosen += " and not any_keys and not changes_the_state and not errors_inside"
    done = installation.run(
        *(sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "as_backend", "-p", "no:cacheprovider"),
        *("-c", "/dev/null", "--rootdir", str(ROOT), "--import-mode=importlib", "-k", f"{chosen} or traces_once"),
        *(str(ROOT / "tests" / "backends" / f"test_{subject}.py") for subject in ("namespace", "primitives")),
        **{**ONE_THREAD, "JAX_ENABLE_X64": "1", "PYTHONPATH": f"{HERE}:{installation.folders[0]}"},
    )
    assert done.code == 0, done.out[-5000:]
