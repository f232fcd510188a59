"""The stretches of time that a page can be asked for: `range=15m` in its address."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from fastapi import Query

Range = Literal["15m", "1h", "6h", "24h", "7d"]
RANGES: tuple[str, ...] = get_args(Range)
SECONDS: dict[str, int] = {"15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800}


@dataclass(frozen=True)
class Ranged:
    """What a page is given that shows a stretch of time and nothing else."""

    range: Annotated[Range, Query()] = "15m"
