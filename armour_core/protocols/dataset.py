"""What a source of data promises: to open a URI."""

from __future__ import annotations

from typing import Protocol

from armour_core import data


class Dataset(Protocol):
    """A frozen configuration. Its registry name is the scheme of the URIs that it opens: "npz" opens "npz:PATH"."""

    def open(self, uri: str) -> data.Dataset:
        """The data. Raises DataError for what is not there or is damaged. Never unpickles."""
