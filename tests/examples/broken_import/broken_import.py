"""Needs a module that is not there: it cannot be imported at all."""

import a_module_that_nobody_has  # noqa: F401
