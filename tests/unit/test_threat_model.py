"""The threat model names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = (ROOT / "docs" / "explanation" / "threat-model.md").read_text(encoding="utf-8")


def test_every_threat_names_tests_that_are_there():
    """No row without one, no name that leads nowhere."""
    answers = MODEL.partition("## Threats and answers")[2].partition("## Revocation")[0]
    rows = [line for line in answers.splitlines() if line.startswith("| ") and "| answer |" not in line]
    named = {path for row in rows for path in re.findall(r"`(tests/[\w/.]+)`", row)}

    assert len(rows) > 25
    assert [] == [row for row in rows if not re.search(r"`tests/[\w/.]+` ?\|$|`tests/[\w/.]+`, ", row)]
    assert [] == [path for path in sorted(named) if not (ROOT / path).is_file()]
