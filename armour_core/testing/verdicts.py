"""What a check says: it holds, it does not and why, or there is nothing to judge."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class CheckResult:
    """One check of one plugin."""

    name: str  #: "finite [torch]": the check, and where it ran
    passed: bool
    detail: str = ""  #: where it failed: what was asked, what was found, what to do


class Broken(AssertionError):
    """The plugin breaks the promise that is checked."""


class NotJudged(Exception):
    """The check does not apply here, or another one has failed that it rests on."""


def expect(holds: object, message: str) -> None:
    """Raise Broken with this message where it does not hold."""
    if not holds:
        raise Broken(message)
