"""How many blocks to ask for at once: every endpoint has another limit, and some change theirs with the load."""

FIRST_BLOCKS = 500
MOST_BLOCKS = 10_000
ENOUGH_LOGS = 2_000  # in one answer; more are taken, but not sought
FEWEST_GOOD, MOST_GOOD = 4, 64


class Span:
    """Halves when the endpoint finds the range too large, and grows again after a while without trouble."""

    def __init__(self) -> None:
        self.blocks = FIRST_BLOCKS
        self._good = 0
        self._good_before_more = FEWEST_GOOD

    def shrink(self) -> bool:
        """Return whether fewer blocks can be asked for."""
        if self.blocks == 1:
            return False
        self.blocks //= 2
        self._good = 0
        # The limit is near: every further try above it costs a question in vain.
        self._good_before_more = min(MOST_GOOD, self._good_before_more * 2)
        return True

    def learn(self, logs: int) -> None:
        """Hear how many logs came."""
        if logs > ENOUGH_LOGS:
            self.blocks = max(1, self.blocks // 2)
            return
        self._good += 1
        if self._good >= self._good_before_more and logs < ENOUGH_LOGS // 2:
            self.blocks = min(MOST_BLOCKS, self.blocks * 2)
            self._good = 0
            self._good_before_more = max(FEWEST_GOOD, self._good_before_more // 2)
