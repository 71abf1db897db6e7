"""Data by URI: a plugin's name is the scheme, its fields are what may follow the `?`."""

from armour_core.hooks import hookimpl
from armour_core.specs import Spec

_HOME = "armour_plugins.datasets"


@hookimpl
def armour_specs() -> list[Spec]:
    """The data that armour opens."""
    return [
        Spec("dataset", "digits", f"{_HOME}.digits:Digits", extra="demo", reference="doi:10.24432/C50P49",
             summary="1797 real handwritten digits of 8 x 8 pixels, from scikit-learn"),
        Spec("dataset", "npz", f"{_HOME}.npz:Npz", summary="Two arrays in a NumPy file: npz:PATH?x=x&y=y"),
    ]  # fmt: skip
