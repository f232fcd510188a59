"""Moments as people type them: so long ago, or a time in UTC."""

import re
from datetime import UTC, datetime

from common.clock import now_ns

NS_OF_UNIT = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}


class Wrong(Exception):
    """An option that cannot be used. What next: the words say it."""


def moment_ns(text: str) -> int:
    """
    Return a moment in ns since the epoch.

    Raises:
        Wrong: it is none.
    """
    if text == "now":
        return now_ns()
    if ago := re.fullmatch(r"(\d+)([smhd])", text):
        return now_ns() - int(ago[1]) * NS_OF_UNIT[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Wrong(f"{text}: expected 10m, 6h, 7d, or a time such as 2026-11-21T09:30") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 10**6) * 1000
