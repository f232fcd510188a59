"""How start.sh and stop.sh talk: one line a step, one line a trouble."""

import sys
import textwrap
from collections.abc import Mapping, Sequence

from common.clock import monotonic_s
from common.errors import TickfleetError

DEGRADED = 3
WIDTH = 80  # columns
HARD_SPACE = "\N{NO-BREAK SPACE}"


class CannotStart(TickfleetError):
    """The fleet cannot start like this; each line of `troubles` names a cause and its remedy."""

    def __init__(self, *troubles: str, exit_code: int = 1) -> None:
        self.troubles = troubles
        self.exit_code = exit_code

    def __str__(self) -> str:
        return "\n".join(self.troubles)


class Steps:
    """Prints the numbered lines of a start; the clock of a step begins when the one before it ended."""

    def __init__(self) -> None:
        self._since_s = monotonic_s()

    def done(self, number: int, what: str, note: str = "") -> None:
        """Tell that a step is done and how long it took."""
        now_s = monotonic_s()
        took = f"{now_s - self._since_s:5.1f} s"
        self._since_s = now_s
        say(f" [{number}/6] {what:<58} ok {took}")
        if note:
            say(f"       {note}")


def say(line: str = "") -> None:
    """Write a line to the operator."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def tell(what: str, words: str, most_lines: int | None = None) -> None:
    """Write words beside what they are about, in as many lines as it takes, or `most_lines` and no end."""
    lines = textwrap.fill(
        words,
        WIDTH,
        initial_indent=what,
        subsequent_indent=" " * len(what),
        max_lines=most_lines,
        placeholder=" …",
        break_long_words=False,
        break_on_hyphens=False,
    )
    say(lines.replace(HARD_SPACE, " "))


def complain(lines: Sequence[str]) -> None:
    """Write lines of trouble to standard error."""
    sys.stderr.writelines(f" {line}\n" for line in lines)
    sys.stderr.flush()


def counts(named: Mapping[str, int]) -> str:
    """Return `trades 1,240 · markets 500`, the most first, none left out but zeros; none breaks over lines."""
    most_first = sorted(named.items(), key=lambda item: -item[1])
    return f"{HARD_SPACE}· ".join(f"{name}{HARD_SPACE}{number:,}" for name, number in most_first if number > 0)


def span(seconds: float) -> str:
    """Return a length of time as a person says it: `4 s`, `3 m`, `2 h 5 m`, `3 d 4 h`."""
    minutes, whole_s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} m"
    return f"{minutes} m" if minutes else f"{whole_s} s"
