"""The conformance kit: what every plugin of a kind must obey, as functions for tests and for `armour check`.

    from armour_core.testing import conformance

    @conformance("attack:mine")
    def test_keeps_the_contract(check):
        check()

`run_checks` does the same without pytest. `Setup` gives small models with known weights on any backend, and data for
them, for tests of your own. docs/conformance.md says what is checked.
"""

from armour_core.testing.reference import Setup
from armour_core.testing.running import Case, cases, checks_of, conformance, run_checks
from armour_core.testing.verdicts import CheckResult

__all__ = ["Case", "CheckResult", "Setup", "cases", "checks_of", "conformance", "run_checks"]
