"""How long to wait before the next attempt."""

import random
from collections.abc import Iterator


def delays_s(first_s: float = 0.5, ceiling_s: float = 60.0, chance: random.Random | None = None) -> Iterator[float]:
    """
    Yield seconds to wait, for ever: doubling up to a ceiling, each with full jitter above half of itself.

    Jitter keeps a fleet that lost the same venue from dialling it again in one instant.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    draw = chance or random.Random()  # noqa: S311  spreads load, guards nothing
    pause_s = first_s
    while True:
        yield pause_s * draw.uniform(0.5, 1.0)
        pause_s = min(ceiling_s, pause_s * 2)
