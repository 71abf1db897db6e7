"""The settings of a plugin: what stands beside a field in the source is what a person reads."""

from attrs import Factory, field, frozen

from armour_core.fields import positive_int
from armour_core.parameters import REQUIRED, parameters


@frozen(kw_only=True)
class Base:
    steps: int = positive_int(3)  #: of one round
    kept: str = "a"  #: the base's word


@frozen(kw_only=True)
class Sample(Base):
    #: above it,
    #: in two lines
    above: int = 1
    wide: tuple[int, ...] = field(
        default=(1, 2),
    )  #: behind it
    long: str = "x"
    """Said below,
    in two lines."""
    plain: int = 0  # no documentation
    needed: float
    made: list[int] = Factory(lambda: [1])
    computed: int = Factory(lambda self: self.plain + 1, takes_self=True)
    hidden: int = field(init=False, default=3)
    kept: str = "b"  #: the child's word


def test_documentation_is_read_beside_above_and_below_a_field():
    found = {p.name: p.doc for p in parameters(Sample)}
    assert found == {
        "steps": "of one round",
        "kept": "the child's word",
        "above": "above it, in two lines",
        "wide": "behind it",
        "long": "Said below, in two lines.",
        "plain": "",
        "needed": "",
        "made": "",
        "computed": "",
    }


def test_defaults_types_and_what_is_accepted():
    found = {p.name: p for p in parameters(Sample)}
    assert (found["steps"].default, found["steps"].type) == (3, "int")
    assert found["steps"].accepts == "a whole number of at least 1"
    assert found["needed"].default is REQUIRED
    assert found["made"].default == [1]
    assert repr(found["computed"].default) == "from the other settings"
    assert found["wide"].type == "tuple[int, ...]"


def test_a_factory_has_the_settings_of_its_signature():
    def make(needed, *rest, steps: int = 3, **more):
        return needed

    assert [(p.name, p.default, p.type) for p in parameters(make)] == [("needed", REQUIRED, ""), ("steps", 3, "int")]


def test_a_class_whose_source_is_not_to_be_had_still_has_defaults():
    made = frozen(type("Made", (), {"__annotations__": {"a": int}, "a": 3}))
    assert [(p.name, p.default, p.doc) for p in parameters(made)] == [("a", 3, "")]
