"""All topics in one line: appended = stored + dead + put back for others + waiting."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.views.balances import Balance


@dataclass(frozen=True)
class Reckoning:
    """
    The sums over the topics of which every row is kept.

    `moving` is what was appended or stored while the others were counted; `uneven` names the topics that do not come
    out even, `uncounted` those of which not every row is kept.
    """

    appended: int
    stored: int
    dead: int
    passed: int
    waiting: int
    moving: int
    uneven: tuple[str, ...]
    uncounted: tuple[str, ...]


def reckoning_of(balances: Sequence[Balance]) -> Reckoning | None:
    """Return the sums, None where nothing could be counted."""
    counted = [one for one in balances if one.off is not None]
    if not counted:
        return None
    appended = sum(one.appended or 0 for one in counted)
    stored, waiting = sum(one.stored or 0 for one in counted), sum(one.waiting or 0 for one in counted)
    dead, passed = sum(one.dead for one in counted), sum(one.passed for one in counted)
    uneven = tuple(one.topic for one in counted if one.off)
    return Reckoning(
        appended=appended,
        stored=stored,
        dead=dead,
        passed=passed,
        waiting=waiting,
        moving=appended - stored - dead - passed - waiting - sum(-(one.off or 0) for one in counted),
        uneven=uneven,
        uncounted=tuple(one.topic for one in balances if one.off is None and one.appended),
    )
