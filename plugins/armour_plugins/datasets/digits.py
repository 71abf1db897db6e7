"""Handwritten digits."""

import numpy as np
from attrs import frozen

from armour_core.data import LAYOUTS, Dataset
from armour_core.errors import PluginLoadError
from armour_core.fields import choice


@frozen(kw_only=True)
class Digits:
    """1797 real handwritten digits, 8 x 8 pixels of 17 greys scaled to [0, 1]: `digits`, `digits?split=test`.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI (1998), CC BY 4.0, as scikit-learn ships
    it. Every third image is the test split. The layout is the model's own unless `layout` fixes it.
    """

    split: str = choice("all", "train", "test")  #: which images
    layout: str | None = choice(*LAYOUTS, default=None)  #: axes; None: what the model takes

    def open(self, uri: str) -> Dataset:
        """x float32 (N, 8, 8, 1) in [0, 1] (or as `layout` says), y int64 (N,)."""
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise PluginLoadError(
                f"{uri!r} needs scikit-learn, which cannot be imported ({error}): pip install 'armour[demo]'"
            ) from error
        raw = load_digits()
        place = np.arange(len(raw.target))
        rows = {"all": place, "train": place[place % 3 != 2], "test": place[place % 3 == 2]}[self.split]
        data = Dataset(
            x=(raw.images[rows] / 16).astype(np.float32)[..., None],
            y=raw.target[rows].astype(np.int64),
            uri=uri,
            name="handwritten digits" + (f", {self.split} split" if self.split != "all" else ""),
            layout="nhwc",
            source="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI (1998), CC BY 4.0",
            index=rows,
        )
        if self.layout is None:
            return data
        fixed = data.arranged(self.layout)
        return Dataset(
            x=fixed.x, y=fixed.y, uri=uri, name=fixed.name, source=fixed.source, index=fixed.index, layout=None
        )
