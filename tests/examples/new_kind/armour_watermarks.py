"""A whole new kind of plugin, with its Protocol and its conformance checks, and one plugin of it."""

from typing import Protocol

from attrs import frozen

from armour_core import Spec, create, hookimpl
from armour_core.fields import positive_int
from armour_core.kinds import Kind


class Watermark(Protocol):
    """Marks bytes so that the mark can be found again."""

    def mark(self, content: bytes) -> bytes:
        """The marked content."""

    def find(self, content: bytes) -> bool:
        """Whether the mark is there."""


def finds_its_own_mark(spec):
    watermark = create(spec.kind, spec.id)
    assert watermark.find(watermark.mark(b"content"))


def finds_no_mark_in_plain_content(spec):
    assert not create(spec.kind, spec.id).find(b"content")


@frozen(kw_only=True)
class Tail:
    """Appends zero bytes."""

    length: int = positive_int(4)  #: how many

    def mark(self, content):
        return content + bytes(self.length)

    def find(self, content):
        return content.endswith(bytes(self.length))


@hookimpl
def armour_kinds():
    return [
        Kind(
            name="watermark",
            summary="marks content so that the mark can be found again",
            protocol=Watermark,
            checks=(finds_its_own_mark, finds_no_mark_in_plain_content),
        )
    ]


@hookimpl
def armour_specs():
    return [Spec("watermark", "tail", "armour_watermarks:Tail", summary="Zero bytes at the end")]
