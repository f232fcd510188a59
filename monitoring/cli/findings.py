"""What the doctor finds: a thing that was looked at, how it is, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    grade: Grade
    found: str
    fix: str = ""


def fine(check: str, found: str) -> Finding:
    """Return that a thing is as it should be."""
    return Finding(check, "ok", found)


def judged(check: str, found: str, *, fault: str = "", warning: str = "") -> Finding:
    """Return a thing with the remedy that it needs, the graver first; without one it is fine."""
    if fault:
        return Finding(check, "fault", found, fault)
    return Finding(check, "warning", found, warning) if warning else fine(check, found)
