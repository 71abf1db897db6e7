"""The peers' attacks, called as their documentation says, each as a function without arguments.

They are imported when first called: one that is missing or broken costs only its own rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.frameworks import Side

Run = Callable[[], Any]


def foolbox(side: Side, attack: str, eps: float | None, **settings: Any) -> Run:
    """`foolbox.attacks.<attack>`; returns the clipped adversarials."""

    def prepare() -> Run:
        import foolbox

        model = getattr(foolbox, "PyTorchModel" if side.name == "torch" else "TensorFlowModel")
        wrapped = model(side.net, bounds=(0, 1), **_place(side))
        made = getattr(foolbox.attacks, attack)(**settings)
        return lambda: made(wrapped, side.x, side.y, epsilons=eps)[1]

    return _late(prepare)


def art(side: Side, attack: str, **settings: Any) -> Run:
    """`art.attacks.evasion.<attack>`; NumPy in, NumPy out, as ART wants it."""

    def prepare() -> Run:
        from art.attacks import evasion

        made = getattr(evasion, attack)(_classifier(side), verbose=False, **settings)
        return lambda: made.generate(side.images, side.labels)

    return _late(prepare)


def torchattacks(side: Side, attack: str, **settings: Any) -> Run:
    """`torchattacks.<attack>`."""

    def prepare() -> Run:
        import torchattacks as package

        made = getattr(package, attack)(side.net, **settings)
        return lambda: made(side.x, side.y)

    return _late(prepare)


def _late(prepare: Callable[[], Run]) -> Run:
    made: list[Run] = []

    def run() -> Any:
        if not made:
            made.append(prepare())
        return made[0]()

    return run


def _place(side: Side) -> dict[str, Any]:
    if side.name == "torch":
        return {"device": side.device}
    return {"device": "CPU:0" if side.device == "cpu" else side.device}


def _classifier(side: Side) -> Any:
    from art.estimators import classification

    shape = tuple(side.images.shape[1:])
    if side.name == "torch":
        import torch

        return classification.PyTorchClassifier(
            side.net, torch.nn.CrossEntropyLoss(), input_shape=shape, nb_classes=10, clip_values=(0.0, 1.0),
            device_type="cpu" if side.device == "cpu" else "gpu",
        )  # fmt: skip
    import tensorflow as tf

    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return classification.TensorFlowV2Classifier(side.net, 10, shape, loss_object=loss, clip_values=(0.0, 1.0))
