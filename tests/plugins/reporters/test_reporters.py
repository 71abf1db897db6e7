import html.parser
import itertools
import json
import re

import numpy as np
import pytest
from attrs import evolve

from armour_core.evidence import Answer, Curve, Evidence, Feature, Sample, Series, Table
from armour_core.findings import FAILURE_RATE, Finding, Measure, Remedy, failed
from armour_core.gates import Gate
from armour_core.intervals import wilson
from armour_core.pictures import change_of, picture_of
from armour_core.registry import create
from armour_core.report import Report

EVIL = "<script>alert('x')</script>\"><img src=//evil onerror=1>&amp;"
VOID = {"meta", "img", "br", "line", "circle", "polyline", "polygon"}


class Page(html.parser.HTMLParser):
    """What a browser would see: tags, attributes and text; unbalanced tags are an error."""

    def __init__(self, content: bytes):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.text, self.hidden = [], [], [], 0
        self.feed(content.decode())
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.text))


def curve(n=200):
    xs = tuple(k / 8 * 0.1 for k in range(9))

    def series(name, role, counts):
        bands = [wilson(k, n) for k in counts]
        low, high = zip(*bands)
        return Series(name=name, role=role, y=tuple(k / n for k in counts), low=low, high=high)

    falling = [round(195 * (1 - k / 9)) for k in range(9)]
    return Curve(
        title="Accuracy under attack",
        x_label="eps (linf)",
        y_label="correct",
        x=xs,
        mark=0.1,
        mark_label="declared",
        series=(
            series("worst case", "worst", falling),
            series("pgd", "attack", falling),
            series("gaussian_noise", "baseline", [195] * 9),
        ),
    )


def sample(names=("", "")):
    x = np.linspace(0, 1, 64).reshape(8, 8)
    return Sample(
        index=17,
        label=Answer(label=3, name=names[0]),
        before=Answer(label=3, name=names[0], confidence=0.97),
        after=Answer(label=5, name=names[1], confidence=0.61),
        by="pgd",
        size="linf 0.09",
        pictures=(
            picture_of(x, (0, 1), None, "original", "sample 17 unchanged"),
            change_of(x - 0.5, None, "the change to sample 17"),
            picture_of(1 - x, (0, 1), None, "adversarial", "sample 17 changed"),
        ),
    )


@pytest.fixture
def report():
    severity, because = FAILURE_RATE.judge({"declared": Measure.rate("attack_success_rate", 180, 195, "right samples")})
    finding = Finding(
        id="SEC-EVA-001",
        title="Small changes flip 9 of 10 predictions",
        probe="probe:robustness",
        severity=severity,
        because=because,
        rule=FAILURE_RATE.text,
        summary="20 of 200 predictions are still right.",
        tried="pgd and square.",
        why="It matters.",
        measures=(
            Measure.rate("robust_accuracy", 20, 200, "samples"),
            Measure.rate("pgd.robust_accuracy", 22, 200, "samples"),
        ),
        evidence=Evidence(
            curves=(curve(),),
            samples=(sample(),),
            tables=(Table(title="Attack by attack", columns=("Attack", "flipped"), rows=(("pgd", "178 of 195"),)),),
            notes=("Robust accuracy is an upper bound.",),
        ),
        reproduce="armour scan python:model:load --data digits",
        remedies=(Remedy(plugin="defense:trades", advice="Train on attacked inputs.", available=False),),
        tags=("nist:evasion", "atlas:AML.T0015", "owasp:ML01", "house rule"),
        cost={"forward": 1234.0, "seconds": 2.5},
    )
    return Report(
        findings=(finding, failed("probe:corruption", ValueError("it broke"))),
        created="2026-01-05T10:11:12+00:00",
        tool={"name": "armour", "version": "0.1.0"},
        model={"name": "Sequential", "uri": "python:model:load", "bounds": [0.0, 1.0]},
        data={"name": "digits", "uri": "digits", "samples": 200},
        threat={"words": "each value changes by at most 0.1"},
        plugins=({"id": "attack:pgd", "revision": 1, "origin": "armour", "config": {"steps": 40, "loss": "ce"}},),
        untested=("sanity",),
        warnings=("it was in training mode",),
        command="armour scan python:model:load",
    )


@pytest.fixture
def render():
    reporter = create("reporter", "html")
    return lambda report: Page(reporter.render(report))


def test_json_is_strict_and_reads_back(report):
    content = create("reporter", "json").render(report)
    assert Report.from_dict(json.loads(content)).findings == report.findings
    assert "NaN" not in content.decode()


def test_the_verdict_comes_first_and_every_part_is_there(report, render):
    page = render(report)
    order = [
        "not passed", "Small changes flip 9 of 10 predictions", "20 of 200 predictions are still right",
        "Robust accuracy",
        "10.0%", "95% interval 6.6 to 14.9%", "of 200 samples", "each value changes by at most 0.1", "Findings",
        "What was tried", "Accuracy under attack", "What it looks like", "97% sure", "61% sure", "wrong",
        "Attack by attack", "178 of 195", "Why it matters", "What to do", "defense:trades", "not in this installation",
        "Reproduce", "armour scan python:model:load --data digits", "Severity", FAILURE_RATE.text,
        "OWASP ML Top 10 ML01",
        "did not finish", "ValueError: it broke", "How this was made", "it was in training mode", "sanity",
        "steps = 40",
    ]  # fmt: skip
    at = 0
    for words in order:
        at = page.words.find(words, at)
        assert at >= 0, f"{words!r} is missing or in the wrong place"


def test_the_page_needs_nothing_from_outside_and_runs_nothing(report, render):
    page = render(report)
    assert not page.all("script")
    assert not page.all("link")
    sources = [attributes.get("src") or attributes.get("href") for _, attributes in page.tags]
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources if source)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "url(" not in create("reporter", "html").render(report).decode()


def test_strings_of_model_and_data_are_shown_and_never_interpreted(report, render):
    finding = report.findings[0]
    evil = evolve(
        finding,
        **dict.fromkeys(("title", "summary", "tried", "why", "rule", "because", "reproduce", "id"), EVIL),
        tags=(EVIL,),
        remedies=(Remedy(plugin=EVIL, advice=EVIL, available=True),),
        measures=(evolve(finding.measures[0], metric=EVIL, denominator=EVIL),),
        evidence=Evidence(
            curves=(evolve(curve(), title=EVIL, x_label=EVIL, y_label=EVIL, mark_label=EVIL, note=EVIL),),
            samples=(
                evolve(
                    sample((EVIL, EVIL)),
                    by=EVIL,
                    size=EVIL,
                    features=(Feature(name=EVIL, before=0.0, after=1.0),),
                    pictures=tuple(evolve(p, alt=EVIL, note=EVIL) for p in sample().pictures),
                ),
            ),
            tables=(Table(title=EVIL, columns=(EVIL, EVIL), rows=((EVIL, EVIL),), note=EVIL),),
            notes=(EVIL,),
        ),
    )
    mapping = {"name": EVIL, "uri": EVIL, EVIL: EVIL, "version": EVIL, "words": EVIL}
    plugin = {"id": EVIL, "revision": EVIL, "origin": EVIL, "config": {EVIL: EVIL}}
    page = render(
        Report(
            findings=(evil,), tool=mapping, model=mapping, data=mapping, threat=mapping, settings=mapping, command=EVIL,
            environment=mapping, plugins=(plugin,), untested=(EVIL,), warnings=(EVIL,), created=EVIL,
        )
    )  # fmt: skip
    assert not page.all("script")
    assert len(page.all("img")) == 3
    assert EVIL in page.words
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_it_is_readable_without_seeing_it(report, render):
    page = render(report)
    assert page.all("html")[0]["lang"] == "en"
    assert [a["alt"] for a in page.all("img")] == [
        "sample 17 unchanged",
        "the change to sample 17",
        "sample 17 changed",
    ]
    ids = {a["id"] for _, a in page.tags if "id" in a}
    named = [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
    assert named
    assert set(named) <= ids
    assert {a["href"][1:] for a in page.all("a")} <= ids
    assert len(ids) == len([a for _, a in page.tags if "id" in a])
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_the_table_holds_every_number_of_the_curve(report, render):
    words = render(report).words
    for series in curve().series:
        for y, low, high in zip(series.y, series.low, series.high):
            assert f"{y:.1%} {100 * low:.1f}–{100 * high:.1f}" in words


def test_lines_and_bands_stay_inside_the_drawing(report, render):
    page = render(report)
    shapes = [a["points"] for tag in ("polyline", "polygon") for a in page.all(tag)]
    assert len(shapes) == 6
    for points in shapes:
        xs, ys = np.array([point.split(",") for point in points.split()], float).T
        assert xs.min() >= 0
        assert xs.max() <= 480
        assert ys.min() >= 0
        assert ys.max() <= 300


def test_higher_accuracy_is_drawn_higher_and_larger_eps_further_right(report, render):
    worst = next(a for a in render(report).all("polyline") if "worst" in a["class"])
    xs, ys = np.array([point.split(",") for point in worst["points"].split()], float).T
    assert (np.diff(xs) > 0).all()
    assert (np.diff(ys) > 0).all()


@pytest.mark.parametrize("change", [0.0, 1e-300, float("inf")])
def test_vectors_become_bars_whatever_their_size(report, render, change):
    vector = evolve(sample(), pictures=(), features=(Feature(name="age", before=1.0, after=1.0 + change),))
    finding = evolve(report.findings[0], evidence=Evidence(samples=(vector,)))
    page = render(evolve(report, findings=(finding,)))
    assert "age" in page.words
    assert not page.all("img")


def test_gates_are_shown_with_their_value(report, render):
    words = render(report.gated([Gate.parse("robust_accuracy<0.4"), Gate.parse("findings.critical>0")])).words
    assert re.search(r"robust_accuracy<0\.4 fails ?: robust_accuracy is 0\.1", words)
    assert "findings.critical>0 does not hold, as it should" in words


def test_an_empty_report_is_a_page_too(render):
    assert "Nothing was tested" in render(Report(tool={"version": "0"})).words


def test_one_point_makes_a_curve(report, render):
    single = Curve(title="c", x_label="x", y_label="y", x=(0.1,), series=(Series(name="s", y=(0.5,)),))
    finding = evolve(report.findings[0], evidence=Evidence(curves=(single,)))
    assert "50.0%" in render(evolve(report, findings=(finding,))).words
