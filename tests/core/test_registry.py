"""The registry: what a name means, what is said when it means nothing, and hooks that survive their plugins."""

import gc
import logging
import sys
import weakref

import attrs
import pytest
from attrs import frozen

from armour_core import discovery, registry
from armour_core.discovery import Distribution, Failure, Found
from armour_core.errors import (
    AmbiguousPlugin,
    ArmourError,
    ConfigError,
    DataError,
    PluginLoadError,
    UnknownPlugin,
)
from armour_core.fields import positive_int
from armour_core.hooks import hookimpl
from armour_core.kinds import BUILTIN
from armour_core.registry import Registry
from armour_core.specs import Spec


@frozen(kw_only=True)
class Sample:
    """Something to create.

    More of it.
    """

    steps: int = positive_int(40)
    rate: float = 0.5


class Plain:
    def __init__(self, needed, optional=1):
        if optional < 0:
            raise ValueError("optional is negative")
        self.needed = needed


@pytest.fixture
def sample_module(monkeypatch):
    """A module that targets can name: this one."""
    monkeypatch.setitem(sys.modules, "sample_module", sys.modules[__name__])
    return "sample_module"


def specs_of(origin, *specs):
    return [attrs.evolve(spec, origin=origin) for spec in specs]


OWN = specs_of(
    "armour",
    Spec("attack", "pgd", "sample_module:Sample", aliases=("LinfPGD", "madry"), tags={"white-box", "linf"}),
    Spec("attack", "hopskipjump", "sample_module:Sample", aliases=("HopSkipJump",), tags={"black-box", "linf"}),
    Spec("defense", "jpeg", "sample_module:Plain", tags={"linf"}),
    Spec("loss", "needs_extra", "a_module_that_nobody_has:Loss", extra="torch"),
    Spec("loss", "needs_plain", "a_module_that_nobody_has.inner:Loss"),
    Spec("loss", "no_attribute", "sample_module:Sampel"),
)


def made(*foreign, own=OWN, plugins=(), failures=(), installed=True):
    manager = discovery.new_manager()
    for origin, plugin in plugins:
        manager.register(plugin, f"{origin}:main")
    names = {spec.origin for spec in foreign} | ({"armour"} if installed else set())
    distributions = tuple(Distribution(name, "1.0", ("main = m",), "loaded") for name in sorted(names))
    return Registry(Found(manager, (*own, *foreign), dict(BUILTIN), distributions, tuple(failures)))


# ---- listing


def test_a_listing_is_filtered_by_kind_glob_and_all_tags():
    found = made(*specs_of("theirs", Spec("attack", "pgd_fast", "m:A", tags={"linf", "black-box"})))
    assert [s.id for s in found.list_plugins("attack", "*pgd*")] == ["attack:pgd", "attack:theirs/pgd_fast"]
    assert [s.id for s in found.list_plugins(tags=("black-box", "linf"))] == [
        "attack:hopskipjump",
        "attack:theirs/pgd_fast",
    ]
    assert [s.id for s in found.list_plugins(tags="white-box")] == ["attack:pgd"]
    assert [s.id for s in found.list_plugins(match="Hop-Skip*")] == []
    assert [s.id for s in found.list_plugins(match="Hop*Jump")] == ["attack:hopskipjump"]
    assert [s.id for s in found.list_plugins(match="attack:theirs/*")] == ["attack:theirs/pgd_fast"]
    assert len(found.list_plugins()) == len(OWN) + 1


def test_a_kind_that_does_not_exist_is_told_with_the_nearest_ones():
    with pytest.raises(UnknownPlugin, match="Did you mean attack"):
        made().list_plugins("atack")
    with pytest.raises(UnknownPlugin, match="Kinds: accountant, attack"):
        made().kind("zzz")
    with pytest.raises(ConfigError, match="string"):
        made().kind(None)


# ---- names


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("attack", "pgd"),
        ("Attack", "PGD"),
        ("attack", "LinfPGD"),
        ("attack", "linfpgd"),
        ("attack", "attack:pgd"),
        ("attack", "armour/pgd"),
        ("attack:pgd", None),
        ("attack:armour/Madry", None),
    ],
)
def test_one_plugin_has_many_spellings(kind, name):
    assert made().spec(kind, name).id == "attack:pgd"


def test_hyphens_and_underscores_are_the_same():
    assert made().spec("loss", "Needs-Extra").name == "needs_extra"


def test_armours_names_and_aliases_cannot_be_taken_over():
    theirs = specs_of("their-dist", Spec("attack", "pgd", "m:A"), Spec("attack", "linfpgd", "m:B"))
    found = made(*theirs)
    assert found.spec("attack", "pgd").origin == "armour"
    assert found.spec("attack", "LinfPGD").id == "attack:pgd"
    assert found.spec("attack", "their-dist/pgd").target == "m:A"
    assert found.spec("attack", "Their_Dist/LinfPGD").target == "m:B"
    assert found.spec("attack:their-dist/pgd").target == "m:A"


def test_a_bare_name_means_the_one_distribution_that_offers_it_and_none_when_two_do():
    a, b = specs_of("dist-a", Spec("attack", "boost", "m:A")), specs_of("dist-b", Spec("attack", "boost", "m:B"))
    assert made(*a).spec("attack", "boost").target == "m:A"
    with pytest.raises(AmbiguousPlugin, match=r"dist-a \(attack:dist-a/boost\) and by dist-b"):
        made(*a, *b).spec("attack", "boost")
    assert made(*a, *b).spec("attack", "dist-b/boost").target == "m:B"


def test_a_foreign_alias_does_not_silently_win_over_a_foreign_name_or_lose_to_it():
    a = specs_of("dist-a", Spec("attack", "boost", "m:A"))
    b = specs_of("dist-b", Spec("attack", "other", "m:B", aliases=("Boost",)))
    assert made(*b).spec("attack", "boost").name == "other"
    with pytest.raises(AmbiguousPlugin):
        made(*a, *b).spec("attack", "boost")


def test_within_a_distribution_a_name_wins_over_an_alias_and_two_aliases_are_ambiguous():
    specs = specs_of("d", Spec("attack", "a", "m:A", aliases=("b", "c")), Spec("attack", "b", "m:B", aliases=("c",)))
    assert made(*specs).spec("attack", "b").target == "m:B"
    with pytest.raises(AmbiguousPlugin):
        made(*specs).spec("attack", "c")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pdg", "Did you mean pgd"),
        ("HopSkipJum", "No attack is named 'HopSkipJum'. Did you mean hopskipjump?"),
        ("jpeg", "There is defense:jpeg"),
        ("zzz", "`armour list attack` shows"),
        ("their-dist/pgd", "No attack is named 'their-dist/pgd'. Did you mean their-dist/fgsm"),
    ],
)
def test_a_name_that_means_nothing_is_told_with_what_is_near(name, told):
    found = made(*specs_of("their-dist", Spec("attack", "fgsm", "m:A")))
    with pytest.raises(UnknownPlugin) as caught:
        found.spec("attack", name)
    assert told in str(caught.value)
    assert isinstance(caught.value, LookupError)


def test_what_failed_to_load_is_mentioned_where_a_name_is_missing():
    found = made(failures=[Failure("their-dist", "load", ImportError("x"))])
    with pytest.raises(UnknownPlugin, match="1 plugins failed to load"):
        found.create("attack", "theirs")


def test_in_a_bare_checkout_it_is_said_that_armour_is_not_installed():
    with pytest.raises(UnknownPlugin, match=r"armour is not installed.*pip install -e \."):
        made(own=(), installed=False).create("attack", "pgd")


def test_an_id_of_another_kind_and_a_name_that_is_no_string_are_refused():
    with pytest.raises(UnknownPlugin, match="'defense'"):
        made().spec("attack", "defense:jpeg")
    with pytest.raises(UnknownPlugin, match="KIND:NAME"):
        made().spec("pgd")
    with pytest.raises(ConfigError, match="string"):
        made().spec("attack", 3)


# ---- making


def test_a_configuration_is_made_by_name(sample_module):
    assert made().create("attack", "LinfPGD", steps=3) == Sample(steps=3)


@pytest.mark.parametrize(
    ("kind", "name", "config", "told"),
    [
        (
            "attack",
            "pgd",
            {"stepz": 3},
            "attack:pgd has no setting 'stepz'. Did you mean steps? It accepts: steps, rate.",
        ),
        ("attack", "pgd", {"zzz": 3}, "attack:pgd has no setting 'zzz'. It accepts: steps, rate."),
        ("attack", "pgd", {"steps": 0}, "Sample.steps is 0"),
        ("defense", "jpeg", {}, "defense:jpeg needs needed. It accepts: needed, optional."),
        ("defense", "jpeg", {"needed": 1, "optional": -1}, "optional is negative"),
        ("defense", "jpeg", {"needed": 1, "optional": "x"}, "defense:jpeg does not accept needed=1, optional='x'"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(sample_module, kind, name, config, told):
    with pytest.raises(ConfigError) as caught:
        made().create(kind, name, **config)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("needs_extra", "pip install 'armour[torch]'"),
        ("needs_plain", "there is no module 'a_module_that_nobody_has'"),
        ("no_attribute", "Did you mean Sample?"),
    ],
)
def test_what_cannot_be_loaded_says_what_to_install(sample_module, name, told):
    with pytest.raises(PluginLoadError) as caught:
        made().load("loss", name)
    assert told in str(caught.value)
    assert isinstance(caught.value, ImportError)


def test_a_missing_dependency_of_a_plugins_module_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "tst_wants.py").write_text("import a_framework_that_nobody_has.nn")
    (tmp_path / "tst_raises.py").write_text("1 / 0")
    specs = specs_of(
        "their-dist",
        Spec("loss", "a", "tst_wants:A", extra="big"),
        Spec("loss", "b", "tst_wants:A"),
        Spec("loss", "c", "tst_raises:A"),
    )
    with pytest.raises(PluginLoadError, match=r"'a_framework_that_nobody_has'.*pip install 'their-dist\[big\]'"):
        made(*specs).load("loss", "a")
    with pytest.raises(PluginLoadError, match=r"pip install a_framework_that_nobody_has$"):
        made(*specs).load("loss", "b")
    with pytest.raises(PluginLoadError, match="importing tst_raises raised ZeroDivisionError"):
        made(*specs).load("loss", "c")


def test_resolve_passes_an_object_through_and_creates_from_a_name(sample_module):
    attack = Sample()
    assert made().resolve("attack", attack) is attack
    assert made().resolve("attack", "pgd", steps=2) == Sample(steps=2)
    with pytest.raises(ConfigError, match="Sample is a class"):
        made().resolve("attack", Sample)
    with pytest.raises(ConfigError, match="steps=2 is given beside a Sample"):
        made().resolve("attack", attack, steps=2)


# ---- notebooks


def test_a_class_is_registered_without_an_entry_point_and_again_by_its_module():
    found = made()
    spec = found.register(Sample, kind="attack", name="mine", tags={"linf"}, aliases=("Mine2",))
    assert (spec.id, spec.summary, spec.origin) == ("attack:mine", "Something to create.", "")
    assert found.create("attack", "mine2", steps=2) == Sample(steps=2)
    assert found.spec_of(Sample()) == spec

    @frozen(kw_only=True)
    class Sample2:
        depth: int = 1

    found.register(Sample2, kind="attack", name="Mine")
    assert found.create("attack", "mine", depth=4).depth == 4
    assert len(found.list_plugins("attack", "mine")) == 1


def test_what_is_armours_or_another_modules_cannot_be_registered():
    found = made()
    for name, aliases in (("pgd", ()), ("linfpgd", ()), ("mine", ("HopSkipJump",))):
        with pytest.raises(ConfigError, match="armour's own"):
            found.register(Sample, kind="attack", name=name, aliases=aliases)
    found.register(Sample, kind="attack", name="mine")
    with pytest.raises(ConfigError, match="was registered by"):
        found.register(logging.Logger, kind="attack", name="mine")
    with pytest.raises(ConfigError, match="give a class"):
        found.register("pgd", kind="attack", name="other")
    with pytest.raises(UnknownPlugin):
        found.register(Sample, kind="atack", name="other")


def test_what_is_registered_here_wins_over_what_a_third_party_installed():
    found = made(*specs_of("their-dist", Spec("attack", "mine", "m:A")))
    found.register(Sample, kind="attack", name="mine")
    assert found.spec("attack", "mine").origin == ""
    assert found.spec("attack", "their-dist/mine").target == "m:A"


def test_the_spec_of_an_object_is_found_without_importing_anything(sample_module):
    found = made()
    assert found.spec_of(Plain(1)).id == "defense:jpeg"
    assert found.spec_of(object()) is None


# ---- hooks


class Answers:
    def __init__(self, answer):
        self.answer, self.asked = answer, 0

    @hookimpl
    def armour_open_data(self, uri):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_first_answer_counts_and_a_plugin_that_raises_is_passed_over():
    broken, silent, right, never = Answers(RuntimeError("boom")), Answers(None), Answers("data"), Answers("other")
    found = made(plugins=[("d", never), ("c", right), ("b", silent), ("a", broken)])
    assert found.first("armour_open_data", uri="x:") == "data"
    assert (silent.asked, never.asked) == (1, 0)
    assert [(f.origin, f.stage, str(f.error)) for f in found.failures()] == [("a", "armour_open_data", "boom")]


def test_an_error_raised_on_purpose_is_an_answer():
    found = made(plugins=[("b", Answers("data")), ("a", Answers(DataError("the file is damaged")))])
    with pytest.raises(DataError, match="damaged"):
        found.first("armour_open_data", uri="x:")
    assert found.failures() == []


def test_without_an_answer_there_is_none():
    assert made(plugins=[("a", Answers(None))]).first("armour_open_data", uri="x:") is None
    assert made().first("armour_open_data", uri="x:") is None


def test_strict_raises_what_a_plugin_raised(monkeypatch):
    monkeypatch.setenv("ARMOUR_STRICT", "1")
    with pytest.raises(RuntimeError, match="boom"):
        made(plugins=[("a", Answers(RuntimeError("boom")))]).first("armour_open_data", uri="x:")


def test_an_observer_that_raises_is_reported_once_and_fails_nothing(caplog, monkeypatch):
    monkeypatch.setenv("ARMOUR_STRICT", "1")
    seen = []

    class Broken:
        @hookimpl
        def armour_after_batch(self):
            raise ArmourError("the tracker is offline")

    class Works:
        @hookimpl
        def armour_after_batch(self, done, total):
            seen.append((done, total))

    found = made(plugins=[("b", Works()), ("a", Broken())])
    for done in (1, 2):
        found.observe("armour_after_batch", run={}, done=done, total=2)
    assert seen == [(1, 2), (2, 2)]
    assert [f.origin for f in found.failures()] == ["a"]
    assert caplog.text.count("the tracker is offline") == 1


def test_what_was_at_hand_when_a_plugin_failed_is_not_kept_alive():
    class Network:
        pass

    def asked():
        network = Network()
        found = made(plugins=[("a", Answers(RuntimeError("boom")))])
        found.first("armour_open_data", uri=network)
        return found, weakref.ref(network)

    found, network = asked()
    gc.collect()
    assert [failure.origin for failure in found.failures()] == ["a"]
    assert network() is None


def test_a_hook_called_with_other_arguments_than_it_has_is_a_defect():
    with pytest.raises(TypeError, match="armour_after_batch takes run, done, total"):
        made().observe("armour_after_batch", run={})


# ---- the one of this process


def test_the_registry_of_this_process_is_searched_for_once(monkeypatch):
    searched = []
    monkeypatch.setattr(discovery, "discover", lambda: searched.append(1) or made()._found)
    monkeypatch.setattr(registry, "_registry", None)
    assert registry.spec("attack", "pgd").id == "attack:pgd"
    assert registry.list_plugins("defense")[0].id == "defense:jpeg"
    assert len(searched) == 1
    registry.refresh()
    registry.kinds()
    assert len(searched) == 2


def test_a_plugin_that_asks_for_plugins_while_it_is_imported_is_told_so(monkeypatch):
    asked = []

    def discover():
        with pytest.raises(ArmourError, match="ask inside a function") as caught:
            registry.list_plugins()
        asked.append(caught)
        return made()._found

    monkeypatch.setattr(discovery, "discover", discover)
    monkeypatch.setattr(registry, "_registry", None)
    registry.list_plugins()
    assert asked


def test_a_norm_that_the_tags_do_not_name_is_refused_whatever_the_class_takes():
    """A plugin may declare `norm: str = "linf"` and no more: its tags say what it implements."""

    @frozen(kw_only=True)
    class Plain:
        norm: str = "linf"

    registry.register(Plain, kind="attack", name="plain_norm", tags=("linf",))
    assert registry.create("attack", "plain_norm", norm="linf").norm == "linf"
    with pytest.raises(ConfigError, match=r"implements: linf"):
        registry.create("attack", "plain_norm", norm="l2")
