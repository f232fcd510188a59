"""The invented world that all demo venues share: one seed, one set of markets, one stream of chance."""

import random
from functools import cached_property

from simulator.demo.gamma import InventedMarkets


class World:
    """Made once per run; what two venues must agree on is made here."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def chance(self, name: str) -> random.Random:
        """Return a source of chance of its own, so that one venue's draws do not move another's."""
        return random.Random(f"{self.seed}:{name}")  # noqa: S311  (repeatable chance, no secret)

    @cached_property
    def markets(self) -> InventedMarkets:
        """Return the prediction markets that Gamma lists and in which fills happen."""
        return InventedMarkets(self.chance("markets"))
