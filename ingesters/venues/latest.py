"""
When the newest of what a venue numbers happened: it tells a repeat under an old number from a new numbering.

An old number on something that happened clearly later than all before is no repeat: the venue has begun its numbering
again, as Binance's testnet does each month.
"""

from common.clock import NS_PER_S

RESET_MARGIN_NS = 2 * NS_PER_S  # more than a recorder's clock was seen to lag the venue's (1.28 s)
CLOCKS_APART_NS = 8 * NS_PER_S  # more, and what was told before is taken for something newer


class Latest:
    """
    The latest time of all that was told of one symbol; `at_ns` is None while only a number is known, after a restart.

    The latest and not the last: a clock that was set back would make what was told before look newer.
    """

    def __init__(self) -> None:
        self.at_ns: int | None = None
        self._apart_ns = 0  # up to when what was told before a restart may have happened, by a clock ahead of ours

    def stand_at(self, event_ns: int) -> None:
        """Take note of when something happened."""
        self.at_ns = max(event_ns, self.at_ns or 0)

    def is_passed_by(self, event_ns: int, received_ns: int) -> bool:
        """
        Return whether something under an old number is the first of a new numbering.

        What is known by its number alone was stored before this connection heard anything: that moment stands in for
        its time.
        """
        if self.at_ns is None:
            self.at_ns, self._apart_ns = received_ns, received_ns + CLOCKS_APART_NS
        return event_ns > max(self.at_ns, self._apart_ns) + RESET_MARGIN_NS
