"""What a finding shows: curves, tables and pictured samples. Plain values that every reporter can render."""

from typing import Final

from attrs import field, frozen

ROLES: Final = ("worst", "attack", "baseline")
"""What a series of a curve is: the worst case over all, one attack, or something to compare with."""


@frozen(kw_only=True)
class Series:
    """One line of a curve, with its band."""

    name: str  #: "pgd"
    y: tuple[float, ...]
    low: tuple[float, ...] = ()  #: lower ends of the intervals; empty for no band
    high: tuple[float, ...] = ()
    role: str = "attack"  #: one of ROLES


@frozen(kw_only=True)
class Curve:
    """Lines over one axis, such as accuracy over eps."""

    title: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    series: tuple[Series, ...]
    mark: float | None = None  #: a place on the x axis to point out, such as the declared eps
    mark_label: str = ""
    x_names: tuple[str, ...] = ()  #: how to write each x, such as "8/255"; empty: as numbers
    note: str = ""


@frozen(kw_only=True)
class Table:
    """Rows of text. Numbers are written as people read them; exact values are in the finding's measures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@frozen(kw_only=True)
class Picture:
    """One version of a sample as an image."""

    role: str  #: "original", "perturbation", "adversarial"
    src: str  #: a PNG as a data URI
    width: int  #: in pixels of the file
    height: int
    alt: str  #: what a screen reader says
    note: str = ""  #: how it is drawn, such as "× 12"


@frozen(kw_only=True)
class Answer:
    """What the model says about one version of a sample."""

    label: int
    name: str = ""  #: of the class, where classes have names
    confidence: float | None = None  #: probability of this class; None where the model gives none

    @property
    def text(self) -> str:
        """The class as a person would write it."""
        return self.name or str(self.label)


@frozen(kw_only=True)
class Feature:
    """One entry of a vector, before and after."""

    name: str
    before: float
    after: float


@frozen(kw_only=True)
class Sample:
    """One input, before and after."""

    index: int  #: place in the data set
    label: Answer  #: the true class
    before: Answer
    after: Answer
    by: str  #: what changed it: "pgd"
    size: str  #: how much: "linf 0.043"
    pictures: tuple[Picture, ...] = ()
    features: tuple[Feature, ...] = ()  #: the entries that changed most, where there is nothing to picture


@frozen(kw_only=True)
class Evidence:
    """All that a finding shows, in the order in which it is shown."""

    curves: tuple[Curve, ...] = ()
    samples: tuple[Sample, ...] = ()
    samples_note: str = ""
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = field(default=())  #: what a reader must know to read the numbers right
