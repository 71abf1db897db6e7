"""The report as JSON: the source of truth, from which everything else can be rendered."""

import json

from attrs import frozen

from armour_core.report import Report


@frozen(kw_only=True)
class Json:
    """Every number of the report under the keys of its schema; `Report.load` reads it back."""

    def render(self, report: Report) -> bytes:
        """UTF-8 JSON, strictly standard: no NaN, no infinity."""
        return (json.dumps(report.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
