"""The tutorial leads to one's own notification, with what is installed already; scripts/newcomer installs it."""

import pytest

from tests.docs.newcomer import follow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_the_tutorial_leads_there(tmp_path):
    """Each step works, and the newcomer's own notification is seen in a browser before the crash and after it."""
    steps = list(follow(tmp_path, with_stand_ins=True))

    assert 1 == sum(step.is_notified for step in steps)
    assert ["save page.html", "save app.py"] == [step.what for step in steps if step.what.startswith("save")]
