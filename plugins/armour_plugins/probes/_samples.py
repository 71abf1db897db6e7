"""A few samples of an evaluation to look at: before, the change, after."""

from typing import Any

import numpy as np

from armour_core.data import Dataset
from armour_core.engine.evaluate import Evaluation
from armour_core.engine.run import run_attack
from armour_core.evidence import Answer, Feature, Picture, Sample
from armour_core.pictures import change_of, is_picture, picture_of

_FEATURES = 8  # entries of a vector that are shown


def flipped_samples(
    evaluation: Evaluation, model: Any, data: Dataset, batch_size: int, most: int
) -> tuple[list[Sample], str]:
    """At most `most` flipped samples, of different classes as far as there are, and a sentence on how they were chosen.

    Only these are attacked again, so that no other adversarial was ever kept; what is shown was flipped in that run.
    """
    units = [unit for unit in evaluation.units if unit.result is not None and "baseline" not in unit.tags]
    if not most or not units or evaluation.eps is None:
        return [], ""
    distances = np.stack([unit.result.distance for unit in units])
    nearest = distances.min(axis=0)
    rows = _typical(np.where(evaluation.initially_wrong, np.inf, nearest), data.y, most)
    by = distances[:, rows].argmin(axis=0) if len(rows) else np.zeros(0, dtype=int)
    samples: dict[int, Sample] = {}
    for place, unit in enumerate(units):
        chosen = rows[by == place]
        if not len(chosen):
            continue
        result = run_attack(
            unit.attack,
            model,
            data.x[chosen],
            data.y[chosen],
            eps=evaluation.eps,
            seed=unit.seed,
            batch_size=batch_size,
        )
        last = int(np.argmax(evaluation.eps))
        changed = np.asarray(result.x_adv(last))
        before, after = _answers(model, data.x[chosen], data.classes), _answers(model, changed, data.classes)
        for at, row in enumerate(chosen):
            if result.success[last, at]:
                size = f"{evaluation.norm} {result.distance[at]:.3g}"
                samples[int(row)] = _sample(model, data, int(row), changed[at], before[at], after[at], unit.label, size)
    note = "Of each class a flipped sample of median distance. The change is drawn amplified." if samples else ""
    return [samples[int(row)] for row in rows if int(row) in samples], note


def _typical(distance: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """Rows that were flipped: of each class the one of median distance, then its neighbours; ordered by class."""
    flipped = np.flatnonzero(np.isfinite(distance))
    turns: list[tuple[int, int, int]] = []
    for label in np.unique(labels[flipped]):
        rows = flipped[labels[flipped] == label]
        rows = rows[np.argsort(distance[rows], kind="stable")]
        outward = np.argsort(np.abs(np.arange(len(rows)) - (len(rows) - 1) // 2), kind="stable")
        turns += [(turn, int(label), int(rows[at])) for turn, at in enumerate(outward)]
    chosen = sorted(turns)[:most]
    return np.array([row for _, _, row in sorted(chosen, key=lambda turn: turn[1:])], dtype=np.int64)


def _answers(model: Any, x: np.ndarray, classes: tuple[str, ...]) -> list[Answer]:
    """What the model says of each row, with its confidence where it gives one."""
    outputs = model.backend.to_numpy(model(x)).astype(np.float64)
    if outputs.ndim == 1:
        labels, confidence = outputs.astype(int), None
    else:
        labels = outputs.argmax(axis=1)
        confidence = _confidence(outputs, model.outputs)
    return [
        Answer(
            label=int(label),
            name=classes[label] if label < len(classes) else "",
            confidence=None if confidence is None else float(confidence[at, label]),
        )
        for at, label in enumerate(labels)
    ]


def _confidence(outputs: np.ndarray, kind: str) -> np.ndarray | None:
    if kind == "probabilities":
        return outputs
    if kind != "logits":
        return None
    exponents = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def _sample(
    model: Any, data: Dataset, row: int, changed: np.ndarray, before: Answer, after: Answer, by: str, size: str
) -> Sample:
    x, index = np.asarray(data.x[row], dtype=np.float64), row if data.index is None else int(data.index[row])
    truth = int(data.y[row])
    drawn = is_picture(x.shape, model.channel_axis)
    change = np.asarray(changed, dtype=np.float64) - x
    return Sample(
        index=index,
        label=Answer(label=truth, name=data.classes[truth] if truth < len(data.classes) else ""),
        before=before,
        after=after,
        by=by,
        size=size,
        pictures=_pictures(model, index, x, change, changed, before, after) if drawn else (),
        features=() if drawn else _features(x, change),
    )


def _pictures(
    model: Any, index: int, x: np.ndarray, change: np.ndarray, changed: np.ndarray, before: Answer, after: Answer
) -> tuple[Picture, ...]:
    axis, bounds = model.channel_axis, model.bounds
    return (
        picture_of(x, bounds, axis, "original", f"Sample {index} unchanged, classified as {before.text}"),
        change_of(change, axis, f"The change to sample {index}, amplified"),
        picture_of(changed, bounds, axis, "adversarial", f"Sample {index} changed, classified as {after.text}"),
    )


def _features(x: np.ndarray, change: np.ndarray) -> tuple[Feature, ...]:
    """The entries that changed most."""
    largest = np.argsort(-np.abs(change).ravel(), kind="stable")[:_FEATURES]
    places = [np.unravel_index(place, x.shape) for place in largest]
    return tuple(
        Feature(name=f"x[{', '.join(map(str, place))}]", before=float(x[place]), after=float(x[place] + change[place]))
        for place in places
        if change[place] != 0
    )
