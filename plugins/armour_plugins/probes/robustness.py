"""Robustness against small changes of the input."""

from collections.abc import Iterable

import numpy as np
from attrs import frozen

from armour_core import registry
from armour_core.data import Dataset
from armour_core.engine.account import clean, failures, worst_case
from armour_core.engine.evaluate import Evaluation, evaluate
from armour_core.engine.problem import Budget
from armour_core.engine.provenance import plugin_entries
from armour_core.errors import ConfigError, UnknownPlugin
from armour_core.fields import names_of, non_negative_int, positive_int
from armour_core.findings import Finding, Remedy
from armour_core.wording import plural, share
from armour_plugins.probes._samples import flipped_samples

_ID = "probe:robustness"
_REMEDIES = (
    (
        "defense:trades",
        "Train on attacked inputs, weighing robust against clean accuracy (arXiv:1901.08573). Usually the largest "
        "gain; costs clean accuracy and several times the training time.",
    ),
    (
        "defense:randomized_smoothing",
        "Answer by a vote over noisy copies, which certifies an l2 radius per input (arXiv:1902.02918). Costs many "
        "queries for each answer.",
    ),
    (
        "detector:feature_squeezing",
        "Refuse inputs whose prediction changes when they are smoothed (arXiv:1704.01155). Cheap; an attacker who "
        "knows of it can adapt, so scan again with it in place.",
    ),
)


@frozen(kw_only=True)
class Robustness:
    """Attack every sample that the model gets right, over a sweep of eps, and count the worst case per sample.

    PGD and Square where the model gives gradients, Square where it gives scores, HopSkipJump where it gives labels
    alone; Gaussian noise of the same size beside them, as what happens without an attacker.
    """

    attacks: tuple[str, ...] = names_of("attack")  #: names; empty: those that the model allows
    steps: int = positive_int(40)  #: gradient steps of PGD at each eps
    queries: int = positive_int(300)  #: queries of Square for a sample at each eps
    label_queries: int = positive_int(2000)  #: queries for a sample where only labels are given
    pictures: int = non_negative_int(6)  #: samples to show; 0 keeps all data out of the report

    @property
    def metrics(self) -> tuple[str, ...]:
        """What a gate can name."""
        attacks = self.attacks or ("pgd", "square", "hopskipjump", "gaussian_noise")
        labels = (registry.spec("attack", name).id.partition(":")[2] for name in attacks)
        each = (f"{label}.robust_accuracy" for label in labels)
        return ("clean_accuracy", "robust_accuracy", "attack_success_rate", *each)

    def run(self, model, data: Dataset, ctx) -> Iterable[Finding]:
        """The worst case, clean accuracy, and an entry for each attack that did not finish."""
        labels_only = "scores" not in model.capabilities
        evaluation = evaluate(
            model,
            data.x,
            data.y,
            attacks=self._chosen(model, ctx.threat.norm),
            eps=ctx.threat.sweep,
            norm=ctx.threat.norm,
            budget=Budget(queries=self.label_queries) if labels_only else None,
            seed=ctx.seed,
            batch_size=ctx.batch_size,
            progress=ctx.progress,
        )
        ctx.plugins.extend(plugin_entries(evaluation.units))
        ctx.warnings.extend(note for result in evaluation.results.values() for note in result.warnings)
        try:
            samples, note = flipped_samples(evaluation, model, data, ctx.batch_size, self.pictures)
        except Exception as error:  # the numbers are there already, and a model that fails now must not cost them
            samples, note = [], f"No samples are shown: {type(error).__name__}: {error}"
        at = int(np.argmax(evaluation.eps))
        worst = worst_case(
            evaluation,
            ctx.threat,
            probe=_ID,
            why=_why(evaluation, at, ctx.threat.words),
            samples=samples,
            samples_note=note,
            remedies=_remedies() if evaluation.success[at].any() else (),
            reproduce=ctx.reproduce,
            notes=("An attack shows weakness, never its absence: a stronger one may flip more than is counted here.",),
        )
        start = clean(evaluation, probe=_ID, note=_chance(evaluation, data.y), reproduce=ctx.reproduce)
        return [worst, start, *failures(evaluation, probe=_ID)]

    def _chosen(self, model, norm: str) -> list[object]:
        """Configured attacks that the model's abilities and the norm allow."""
        if self.attacks:
            return [registry.create("attack", name, norm=norm) for name in self.attacks]
        if {"autodiff", "scores"} <= model.capabilities:
            settings = {"pgd": {"steps": self.steps}, "square": {"steps": self.queries}}
        elif "scores" in model.capabilities:
            settings = {"square": {"steps": self.queries}}
        else:
            settings = {"hopskipjump": {}}
        usable = {name: config for name, config in settings.items() if norm in registry.spec("attack", name).tags}
        if not usable:
            able = sorted({spec.name for spec in registry.list_plugins("attack", tags=(norm,))})
            do = (
                f"Name one that does in the probe's `attacks`: {', '.join(able)}."
                if able
                else "No installed attack does."
            )
            raise ConfigError(
                f"{_ID}: none of {', '.join(settings)}, which this model allows, works in norm {norm}. {do}"
            )
        usable |= {"gaussian_noise": {}} if norm in registry.spec("attack", "gaussian_noise").tags else {}
        return [registry.create("attack", name, norm=norm, **config) for name, config in usable.items()]


def _why(evaluation: Evaluation, at: int, may: str) -> str:
    """What the numbers mean here: for an attacker, without gradients, and by chance."""
    right = int((~evaluation.initially_wrong).sum())
    flipped = evaluation.flipped_measure(at)
    if not right:
        return ""
    found = int(evaluation.success[at].sum())
    if not found:
        high = flipped.interval[1] if flipped.interval else 1.0
        return (
            f"None of {plural(right, 'correct answer')} was flipped. From so many samples, up to {high:.1%} of such "
            "inputs could still be (95% confidence), and other attacks may do what these did not."
        )
    sentences = [
        f"Someone who can alter inputs so that {may} turns {share(found, right)} of the model's correct answers into "
        "wrong ones."
    ]
    for tag, words in (
        ("score-based", "Seeing only scores, without the weights"),
        ("baseline", "Random noise of that size, with no attacker,"),
    ):
        some = {u.label: u.result for u in evaluation.units if u.result is not None and tag in u.tags}
        if some and len(some) < len(evaluation.results):
            count = int(evaluation.worst(some)[at].sum())
            sentences.append(
                f"{words}: {share(count, right)}." if tag != "baseline" else f"{words} flips {share(count, right)}."
            )
    return " ".join(sentences)


def _chance(evaluation: Evaluation, labels: np.ndarray) -> str:
    """A remark where the model does no better than one constant answer."""
    majority = float(np.bincount(labels).max() / len(labels))
    measure = evaluation.clean_measure()
    if measure.interval is None or measure.interval[1] >= majority or majority == 1.0:
        return ""
    return (
        f"Always answering the most frequent class would be right in {majority:.1%}: check labels, preprocessing and "
        "the order of axes before reading on."
    )


def _remedies() -> list[Remedy]:
    return [Remedy(plugin=plugin, advice=advice, available=_installed(plugin)) for plugin, advice in _REMEDIES]


def _installed(plugin: str) -> bool:
    try:
        registry.spec(plugin)
    except UnknownPlugin:
        return False
    return True
