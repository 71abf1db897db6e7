"""`doctor`: what is there, what is broken, and only the latter is exit status 1."""

import json
import sys

import pytest

from armour_core.cli import doctor


@pytest.fixture
def probes(monkeypatch, tmp_path):
    """Frameworks that import, fail and are missing, in processes of their own."""
    (tmp_path / "tst_works.py").write_text("print('noise')\n__version__ = '1.0'")
    (tmp_path / "tst_breaks.py").write_text("raise OSError('libfoo.so is missing')")
    (tmp_path / "tst_dies.py").write_text("import os; os._exit(7)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return doctor.frameworks(["tst_works", "tst_breaks", "tst_dies", "tst_absent"])


def test_each_framework_is_asked_in_a_process_of_its_own(probes):
    found = {one["name"]: one for one in probes}
    assert (found["tst_works"]["status"], found["tst_works"]["version"]) == ("works", "1.0")
    assert found["tst_works"]["devices"] == ["cpu"]
    assert found["tst_breaks"] == {"name": "tst_breaks", "status": "broken", "detail": "OSError: libfoo.so is missing"}
    assert found["tst_dies"]["detail"] == "it ended with status 7"
    assert found["tst_absent"]["status"] == "not installed"
    assert "tst_works" not in sys.modules


def test_a_framework_that_does_not_answer_is_given_up(monkeypatch, tmp_path):
    (tmp_path / "tst_hangs.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(doctor, "_TIMEOUT", 0.3)
    (found,) = doctor.frameworks(["tst_hangs"])
    assert found["status"] == "broken"


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(
        doctor, "frameworks", lambda names: [{"name": n, "status": "broken", "detail": "x"} for n in names]
    )


@pytest.mark.usefixtures("quick")
def test_a_broken_framework_or_third_party_is_told_and_is_no_failure(armour):
    done = armour("doctor", "--json", ARMOUR_BLOCK="other")
    value = json.loads(done.stdout)
    assert (done.exit_code, value["broken"]) == (0, [])
    assert [one["name"] for one in value["frameworks"]] == ["numpy", "torch"]
    assert value["environment"]["ARMOUR_BLOCK"] == "other"
    assert "broken (load): ImportError: no [module] named x" in value["failures"]
    assert "All that armour needs is there." in armour("doctor").stdout


@pytest.mark.usefixtures("quick")
def test_what_armour_needs_and_lacks_is_a_failure(armour, monkeypatch):
    monkeypatch.setattr(doctor, "missing_requirements", lambda: ["attrs is not installed: pip install attrs"])
    done = armour("doctor")
    assert done.exit_code == 1
    assert "attrs is not installed" in done.stdout


def test_requirements_are_those_of_the_installed_metadata(monkeypatch):
    requires = [
        "attrs>=23.2",
        "a_package_that_nobody_has>=1 ; python_version > '3'",
        'other-nobody[x]>=1; extra == "demo"',
    ]
    monkeypatch.setattr(doctor.importlib_metadata, "requires", lambda name: requires)
    assert doctor.missing_requirements() == [
        "a_package_that_nobody_has is not installed: pip install a_package_that_nobody_has"
    ]
    assert doctor._required("demo") == ["other-nobody"]
