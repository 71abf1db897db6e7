"""The geometry of a curve as inline SVG: where lines, bands, ticks and marks go. The template only writes it down."""

from attrs import frozen

from armour_core.evidence import Curve, Series

WIDTH, HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 22, 44
_STYLES = ("a", "b", "c", "d", "e")  # dash and marker of each attack's line, in CSS


@frozen
class Tick:
    """A place on an axis and its label."""

    at: float
    text: str


@frozen
class Line:
    """One series: its path, the outline of its band, the places of its markers."""

    name: str
    style: str  #: CSS class: "worst", "baseline", "a" .. "e"
    points: str
    band: str
    dots: tuple[tuple[float, float], ...]


@frozen
class Chart:
    """A curve, ready to draw."""

    lines: tuple[Line, ...]  #: in the order of drawing: the worst case below, attacks above it
    legend: tuple[Line, ...]  #: in the order of the curve
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    mark: float | None
    mark_anchor: str  #: text-anchor of the mark's label, so that it stays inside
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def chart(curve: Curve) -> Chart:
    """Lay out a curve whose y are shares from 0 to 1."""
    first, last = min(curve.x), max(curve.x)
    span = (last - first) or 1.0

    def across(x: float) -> float:
        return round(_LEFT + (x - first) / span * (WIDTH - _LEFT - _RIGHT), 2)

    def up(y: float) -> float:
        return round(_TOP + (1 - y) * (HEIGHT - _TOP - _BOTTOM), 2)

    def path(ys: tuple[float, ...]) -> list[str]:
        return [f"{across(x)},{up(y)}" for x, y in zip(curve.x, ys)]

    def line(series: Series, style: str) -> Line:
        band = " ".join(path(series.high) + path(series.low)[::-1]) if series.low and series.high else ""
        dots = tuple((across(x), up(y)) for x, y in zip(curve.x, series.y))
        return Line(series.name, style, " ".join(path(series.y)), band, dots)

    attacks = [series for series in curve.series if series.role == "attack"]
    styles = {id(series): _STYLES[place % len(_STYLES)] for place, series in enumerate(attacks)}
    drawn = {series.name: line(series, styles.get(id(series), series.role)) for series in curve.series}
    order = sorted(curve.series, key=lambda series: ("worst", "baseline", "attack").index(series.role))
    names = curve.x_names or tuple(f"{x:.3g}" for x in curve.x)
    every = -(-len(names) // 5) if len(names) > 5 else 1
    shown = range(len(names) - 1, -1, -every)  # from the last one, the declared, which is always labelled
    mark = across(curve.mark) if curve.mark is not None else None
    return Chart(
        lines=tuple(drawn[series.name] for series in order),
        legend=tuple(drawn.values()),
        x_ticks=tuple(Tick(across(curve.x[place]), names[place]) for place in shown),
        y_ticks=tuple(Tick(up(share), f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)),
        mark=mark,
        mark_anchor="end" if mark is not None and mark > WIDTH / 2 else "start",
    )


def numbers(curve: Curve) -> list[tuple[str, list[tuple[str, str]]]]:
    """The curve as a table: for each x, each series' value and, where it has a band, its interval."""
    names = curve.x_names or tuple(f"{x:.4g}" for x in curve.x)

    def cell(series: Series, place: int) -> tuple[str, str]:
        banded = series.low and series.high
        interval = f"{100 * series.low[place]:.1f}–{100 * series.high[place]:.1f}" if banded else ""
        return f"{series.y[place]:.1%}", interval

    return [(name, [cell(series, place) for series in curve.series]) for place, name in enumerate(names)]
