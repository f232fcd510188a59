"""The first block of a moment: blocks have times, but no node can be asked by one."""

BLOCK_S = 2  # about as often as there is a block
ENDLESS = 64  # guesses, after which only halves are taken


class Search:
    """Bounds that close in: the block `high` is at or after the moment, everything up to `low` before it."""

    def __init__(self, second: int, high: int) -> None:
        self.second = second
        self.high = high
        self.low = -1
        self._high_s: int | None = None
        self._guesses = 0

    @property
    def is_done(self) -> bool:
        """Return whether `high` is the first block of the moment, and `low` the one before."""
        return self._guesses > 0 and self.high - self.low <= 1

    @property
    def guess(self) -> int:
        """Return the block whose time is to be asked for."""
        if self._high_s is None:
            return self.high
        back = max(1, (self._high_s - self.second) // BLOCK_S)
        if self._guesses % 2:  # every second time a half: guesses alone may creep
            back = (self.high - self.low) // 2
        return max(self.low + 1, self.high - back) if self._guesses < ENDLESS else (self.low + self.high) // 2

    def hear(self, second: int | None) -> None:
        """Hear the time of the block that was guessed; None where the node does not reach back so far."""
        block = self.guess
        self._guesses += 1
        if second is None or second < self.second:
            self.low = block
            self.high = max(self.high, block + 1)
        else:
            self.high, self._high_s = block, second
