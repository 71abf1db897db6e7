"""What a cipher promises: authenticated encryption of streams of any length."""

from __future__ import annotations

from typing import BinaryIO, Protocol


class Cipher(Protocol):
    """A frozen configuration. Nothing unauthenticated is ever released; what is wrong raises IntegrityError."""

    @property
    def key_bytes(self) -> int:
        """Length of its data key."""

    def encrypt(self, reader: BinaryIO, writer: BinaryIO, key: bytes, *, aad: bytes = b"") -> None:
        """Read plain bytes to the end, write the sealed form. aad: authenticated with it, not stored."""

    def decrypt(self, reader: BinaryIO, writer: BinaryIO, key: bytes, *, aad: bytes = b"") -> None:
        """The reverse. Writes only what has been authenticated; a truncated stream is an IntegrityError."""
