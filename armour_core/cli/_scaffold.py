"""The projects that `armour new` writes: each works as it is, and is small enough to be replaced line by line."""

from string import Template

from attrs import frozen

PYPROJECT = Template("""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "$summary"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["armour"]

# armour finds the plugin by this: the module that offers it.
[project.entry-points."armour.plugins"]
$name = "$name"

[tool.hatch.build.targets.wheel]
only-include = ["$name.py"]
""")

README = Template("""\
# $distribution

$Article $kind for armour: $summary.

```sh
pip install -e .
armour show $kind:$name
armour check $kind:$name
pytest
```

`armour plugins --failed` says why, should it not be listed.
""")

MODULE = Template('''\
"""$title: $article $kind for armour."""

$imports
$code

@hookimpl
def armour_specs():
    """What this distribution offers."""
    return [
        Spec(
            kind="$kind",
            name="$name",
            target="$name:$Class",
            summary="$summary",
            tags=$tags,
            needs=$needs,
        )
    ]
''')


@frozen(kw_only=True)
class Sketch:
    """What one kind of plugin looks like: templates of the plugin's code and of its test."""

    summary: str
    imports: str
    code: str
    test: str
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


ATTACK = Sketch(
    summary="Mirrors a random share of the elements about mid-range",
    tags=("black-box", "linf"),
    imports="""\
from armour_core import Spec, hookimpl
from armour_core.fields import fraction, norm_field
from attrs import frozen
""",
    code='''
@frozen(kw_only=True)
class $Class:
    """Mirror a random share of the elements about mid-range: a baseline to start from.

    Source: none. Put the paper here, with its arXiv id, and the same into the Spec's `reference`.
    """

    norm: str = norm_field("linf")
    rate: float = fraction(0.5)  #: share of the elements that are mirrored

    def run(self, problem, rng):
        """Adversarial inputs like `problem.x`. An attack with steps has `start`, `step` and `finish` instead."""
        xp, (lo, hi) = problem.model.backend.xp, problem.model.bounds
        step = xp.clip(lo + hi - 2 * problem.x, -problem.eps, problem.eps)
        return xp.where(rng.uniform(problem.x.shape) < self.rate, problem.x + step, problem.x)
''',
    test='''\
"""The conformance kit checks what every attack must obey; what yours promises beyond that is for you to test."""

from armour_core.testing import conformance


@conformance("attack:$name")
def test_keeps_the_contract(check):
    check()
''',
)

LOSS = Sketch(
    summary="The other logits' mean against the label's, or the target's against the mean",
    imports="""\
from armour_core import Spec, hookimpl
from attrs import frozen
""",
    code='''
@frozen(kw_only=True)
class $Class:
    """How far the mean logit stands above the label's: a loss to start from. Higher is nearer to the goal."""

    def __call__(self, logits, goal, *, backend, clean=None):
        """(N, C) logits -> (N,), each row's own, differentiable."""
        xp = backend.xp
        logit = xp.take_along_axis(logits, xp.expand_dims(goal.labels, axis=1), axis=1)[:, 0]
        gap = xp.mean(logits, axis=1) - logit
        return gap if goal.kind == "untargeted" else -gap
''',
    test="""\
import armour_core as armour
import numpy as np
from armour_core.testing import conformance


@conformance("loss:$name")
def test_keeps_the_contract(check):
    check()


def test_higher_is_nearer_to_the_goal():
    backend = armour.wrap(lambda x: x, backend="numpy").backend
    loss = armour.create("loss", "$name")
    logits, labels = np.array([[1.0, 2.0], [3.0, 5.0]], np.float32), np.array([0, 1], np.int32)
    assert loss(logits, armour.Untargeted(labels), backend=backend).tolist() == [0.5, -1.0]
    assert loss(logits, armour.Targeted(labels), backend=backend).tolist() == [-0.5, 1.0]
""",
)

DEFENSE = Sketch(
    summary="Pulls inputs towards mid-range before the model sees them",
    tags=("preprocessing",),
    imports="""\
from armour_core import Spec, hookimpl
from armour_core.fields import fraction
from attrs import frozen
""",
    code='''
@frozen(kw_only=True)
class $Class:
    """Lower the contrast of inputs, and every perturbation with it: a defense to start from.

    Attacks see through it: what `protect` returns is differentiated as it is.
    """

    keep: float = fraction(0.8)  #: share of the contrast that is left

    def protect(self, model, data=None):
        """The model behind this transformation; `model` itself is as it was."""
        return _Behind(model, self.keep)


class _Behind:
    """`model`, with its inputs transformed. What is not said here, it is asked for."""

    def __init__(self, model, keep):
        self._model, self._keep = model, keep
        self.name = f"{model.name} behind $name"
        self.compiled = {}  # code compiled for the model alone is not code for this one

    def __getattr__(self, name):
        return getattr(self._model, name)

    def __call__(self, x):
        return self._model(self._transformed(self.backend.asarray(x, dtype=self.dtype)))

    def forward(self, x):
        return self._model.forward(self._transformed(x))

    def fingerprint(self):
        inner = self._model.fingerprint()
        return None if inner is None else f"{inner}-$name-{self._keep}"

    def _transformed(self, x):
        middle = sum(self.bounds) / 2
        return middle + self._keep * (x - middle)
''',
    test="""\
import armour_core as armour
import numpy as np


def test_the_model_sees_less_contrast():
    model = armour.wrap(lambda x: x, backend="numpy", bounds=(0, 1))
    defended = armour.create("defense", "$name", keep=0.5).protect(model)
    x = np.array([[0.0, 1.0, 0.5]], np.float32)
    np.testing.assert_allclose(defended(x), [[0.25, 0.75, 0.5]])
    np.testing.assert_allclose(model(x), x)
""",
)

DETECTOR = Sketch(
    summary="Distance from the mean of ordinary inputs, in units of their spread",
    imports="""\
import math

import numpy as np
from armour_core import DataError, Spec, hookimpl
from armour_core.fields import positive
from attrs import frozen
""",
    code='''
@frozen(kw_only=True)
class $Class:
    """How far an input is from the mean of ordinary ones: a baseline to start from. The model is not asked."""

    floor: float = positive(1e-3)  #: least spread of an element, so that constant ones do not decide alone

    def fit(self, model, x, y=None):
        """A detector that knows the ordinary inputs x (N, ...)."""
        x = _rows(model.backend, x)
        mean, spread = x.mean(axis=0), np.maximum(x.std(axis=0), self.floor)
        return Fitted(backend=model.backend, mean=mean, spread=spread, ordinary=np.sort(_distance(x, mean, spread)))


@frozen(kw_only=True, eq=False)
class Fitted:
    """A detector that has seen ordinary inputs."""

    backend: object
    mean: np.ndarray
    spread: np.ndarray
    ordinary: np.ndarray  #: scores of the ordinary inputs, sorted

    def score(self, x):
        """(N,): higher is more suspicious."""
        return _distance(_rows(self.backend, x), self.mean, self.spread)

    def threshold(self, fpr=0.05):
        """The score that at most this share of ordinary inputs exceeds; infinite where there are too few to tell."""
        place = math.ceil((len(self.ordinary) + 1) * (1 - fpr))
        return float(self.ordinary[place - 1]) if place <= len(self.ordinary) else math.inf


def _distance(rows, mean, spread):
    return np.sqrt(np.mean(((rows - mean) / spread) ** 2, axis=1))


def _rows(backend, x):
    x = np.asarray(backend.to_numpy(backend.asarray(x)), np.float64)
    if x.ndim < 2 or not len(x):
        raise DataError(f"x has the shape {x.shape}: give a batch, with the samples along its first axis.")
    return x.reshape(len(x), -1)
''',
    test="""\
import armour_core as armour
import numpy as np


def test_what_is_far_away_is_suspicious_and_ordinary_inputs_keep_below_the_threshold():
    model = armour.wrap(lambda x: x, backend="numpy", bounds=(-9, 9))
    x = np.random.default_rng(0).normal(size=(999, 4))
    fitted = armour.create("detector", "$name").fit(model, x)
    assert np.mean(fitted.score(x) > fitted.threshold(fpr=0.05)) <= 0.05
    assert (fitted.score(x + 8) > fitted.threshold(fpr=0.05)).all()
""",
)

METRIC = Sketch(
    summary="Share of the answers that have changed",
    imports="""\
import numpy as np
from armour_core import DataError, Spec, hookimpl
from armour_core.findings import Measure
from attrs import frozen
""",
    code='''
@frozen(kw_only=True)
class $Class:
    """How many answers differ between two runs, with its 95 % Wilson interval: a metric to start from."""

    def compute(self, before, after):
        """before, after: labels (N,). Returns a Measure: value, interval, n."""
        before, after = np.asarray(before), np.asarray(after)
        if before.ndim != 1 or before.shape != after.shape:
            raise DataError(f"before {before.shape} and after {after.shape}: give two arrays of labels, (N,) each.")
        return Measure.rate("$name", int(np.sum(before != after)), len(before), "answers")
''',
    test="""\
import armour_core as armour


def test_counts_what_has_changed():
    measure = armour.create("metric", "$name").compute([0, 1, 2, 3], [0, 1, 2, 0])
    low, high = measure.interval
    assert measure.value == 0.25
    assert low < 0.25 < high
""",
)

PROBE = Sketch(
    summary="Asks whether answers survive brighter inputs",
    needs=("labels",),
    imports="""\
import numpy as np
from armour_core import Spec, hookimpl
from armour_core.fields import fraction, positive_int
from armour_core.findings import FAILURE_RATE, Finding, Measure
from attrs import frozen
""",
    code='''
@frozen(kw_only=True)
class $Class:
    """Raise every input by a share of the range and count the answers that change: a probe to start from."""

    shift: float = fraction(0.1)  #: how much brighter, as a share of hi - lo
    batch_size: int = positive_int(128)

    def run(self, model, data, ctx):
        """One finding, also when nothing was found."""
        lo, hi = model.bounds
        brighter = np.clip(data.x + self.shift * (hi - lo), lo, hi).astype(data.x.dtype)
        changed = int(np.sum(self._labels(model, data.x) != self._labels(model, brighter)))
        measure = Measure.rate("$name", changed, len(data), "inputs")
        severity, because = FAILURE_RATE.judge({"declared": measure})
        return [
            Finding(
                id="$ID-001",
                title=f"Brighter inputs change {changed} of {len(data)} answers",
                probe="probe:$distribution/$name",
                severity=severity,
                because=because,
                rule=FAILURE_RATE.text,
                status="confirmed" if changed else "not_found",
                measures=(measure,),
                why="Light changes in the field as a matter of course.",
            )
        ]

    def _labels(self, model, x):
        answers = []
        for at in range(0, len(x), self.batch_size):
            outputs = model.backend.to_numpy(model(x[at : at + self.batch_size]))
            answers.append(outputs if outputs.ndim == 1 else outputs.argmax(axis=1))
        return np.concatenate(answers)
''',
    test="""\
import armour_core as armour
import numpy as np
from armour_core.data import Dataset


def test_finds_a_model_that_answers_by_brightness():
    model = armour.wrap(lambda x: np.stack([x[:, 0], 0.5 + 0 * x[:, 0]], axis=1), backend="numpy", bounds=(0, 1))
    data = Dataset(x=np.array([[0.1], [0.45], [0.9]], np.float32), y=np.array([1, 1, 0]))
    (finding,) = armour.create("probe", "$name").run(model, data, None)
    assert finding.value == 1 / 3
    assert finding.status == "confirmed"
""",
)

REPORTER = Sketch(
    summary="The findings as plain text, one line each",
    tags=(".txt",),
    imports="""\
from armour_core import Spec, hookimpl
from attrs import frozen
""",
    code='''
@frozen(kw_only=True)
class $Class:
    """One line for each finding, the worst first: a reporter to start from. Its Spec's tags name the suffix."""

    def render(self, report):
        """The file's content, UTF-8."""
        lines = [f"{finding.severity:8}  {finding.title}" for finding in report.ranked]
        return "\\n".join([report.verdict, "", *lines, ""]).encode()
''',
    test="""\
import armour_core as armour
from armour_core.findings import Finding
from armour_core.report import Report


def test_names_every_finding():
    finding = Finding(id="X-1", title="Small changes flip answers", probe="probe:x", severity="high")
    text = armour.create("reporter", "$name").render(Report(findings=(finding,))).decode()
    assert "high      Small changes flip answers" in text
""",
)

DATASET = Sketch(
    summary="Tables of numbers in text files: $name:PATH",
    imports="""\
from pathlib import Path

import numpy as np
from armour_core import DataError, Spec, hookimpl
from armour_core.data import Dataset
from armour_core.fields import choice
from attrs import frozen
""",
    code='''
@frozen(kw_only=True)
class $Class:
    """Rows of numbers, the last of each its label: a source of data to start from. Opens `$name:PATH`."""

    delimiter: str = choice(",", ";", " ")  #: between the numbers of a row

    def open(self, uri):
        """The data, vectors (N, D) in float32 with their labels. Raises DataError for what cannot be read."""
        path = Path(uri.removeprefix("$name:"))
        try:
            table = np.loadtxt(path, delimiter=self.delimiter, ndmin=2)
        except (OSError, ValueError) as error:
            raise DataError(f"{uri} cannot be read as rows of numbers: {error}.") from error
        if not table.size or table.shape[1] < 2 or (table[:, -1] != np.floor(table[:, -1])).any():
            raise DataError(f"{uri}: each row needs at least one value, and a whole number as its label.")
        x, y = table[:, :-1].astype(np.float32), table[:, -1].astype(np.int64)
        return Dataset(x=x, y=y, uri=uri, name=path.name)
''',
    test="""\
import armour_core as armour


def test_opens_rows_of_numbers(tmp_path):
    (tmp_path / "rows.csv").write_text("0.5,0.25,1\\n0.0,1.0,0\\n")
    data = armour.create("dataset", "$name").open(f"$name:{tmp_path / 'rows.csv'}")
    assert data.x.tolist() == [[0.5, 0.25], [0.0, 1.0]]
    assert data.y.tolist() == [1, 0]
""",
)

SKETCHES = {
    "attack": ATTACK,
    "loss": LOSS,
    "defense": DEFENSE,
    "detector": DETECTOR,
    "metric": METRIC,
    "probe": PROBE,
    "reporter": REPORTER,
    "dataset": DATASET,
}
"""What `armour new` can write, by kind."""


def project(kind: str, name: str) -> dict[str, str]:
    """The files of a project, by their paths: a plugin of this kind and name, which must both be acceptable."""
    sketch = SKETCHES[kind]
    words = {
        "kind": kind,
        "name": name,
        "distribution": distribution_name(name),
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "title": name.replace("_", " ").capitalize(),
        "article": "an" if kind[0] in "aeiou" else "a",
        "Article": "An" if kind[0] in "aeiou" else "A",
        "ID": name.upper().replace("_", "-"),
        "tags": _set(sketch.tags),
        "needs": _set(sketch.needs),
        "imports": sketch.imports,
    }
    words["summary"] = Template(sketch.summary).substitute(words)
    words["code"] = Template(sketch.code).substitute(words)
    return {
        "pyproject.toml": PYPROJECT.substitute(words),
        "README.md": README.substitute(words),
        f"{name}.py": MODULE.substitute(words),
        f"tests/test_{name}.py": Template(sketch.test).substitute(words),
    }


def distribution_name(name: str) -> str:
    """What the project is called on a package index."""
    return f"armour-{name.replace('_', '-')}"


def _set(words: tuple[str, ...]) -> str:
    return "{" + ", ".join(f'"{word}"' for word in words) + "}" if words else "()"
