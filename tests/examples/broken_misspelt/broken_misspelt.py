"""Implements a hook that does not exist, beside one that does."""

from armour_core import Spec, hookimpl


@hookimpl
def armour_specs():
    return [Spec("attack", "never_seen", "broken_misspelt:Attack")]


@hookimpl
def armour_after_batsh(run, done, total):
    pass
