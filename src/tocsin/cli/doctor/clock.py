"""How far this machine's clock is from another's."""

import time

from tocsin.cli.doctor.finding import Finding, ok, problem, warning

_OFF_S = 2.0
# A token of a minute would be refused, or live twice as long.
_WRONG_S = 30.0
_MEND = "synchronise the clocks of all machines (chrony, systemd-timesyncd): tokens, expiry and retention go by them"


def compare(whose: str, theirs_s: float, asked_s: float, grain_s: float = 0.0) -> Finding:
    """
    Return how far apart the clocks are.

    Args:
        whose: Whose clock was read.
        theirs_s: What it said, in seconds since 1970.
        asked_s: This machine's clock when it was asked, in seconds since 1970.
        grain_s: What theirs is rounded down to.
    """
    answered_s = time.time()
    # It was read some time between the question and the answer.
    off_s = max(theirs_s - answered_s, asked_s - theirs_s - grain_s, 0.0)
    text = f"this machine and {whose} are " + (f"{off_s:.1f} s apart" if off_s else "together")
    if off_s > _WRONG_S:
        return problem("clock", text, _MEND)
    return warning("clock", text, _MEND) if off_s > _OFF_S else ok("clock", text)
