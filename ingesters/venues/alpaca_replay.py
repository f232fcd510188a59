"""
A recording that is played again, from its beginning, on every connection.

The venue itself never repeats what it told: a trade that comes late is told once, however late. A recording does repeat
everything. It is known by its clock, which is more than a week behind ours; then, and only then, what is not newer than
what an earlier connection stored of the same symbol is a repeat.
"""

from collections import defaultdict

import msgspec

from common.clock import NS_PER_S
from common.records import Quote, Record, Status, Trade, TradeCorrection
from ingesters.feed import Checkpoint, Resume

WEEK_NS = 7 * 86_400 * NS_PER_S
TOPIC_OF: dict[type[Record], str] = {
    Trade: "trades",
    Quote: "quotes",
    Status: "statuses",
    TradeCorrection: "trade_corrections",
}
TOPICS = tuple(TOPIC_OF.values())

_decode = msgspec.json.Decoder(dict[str, int]).decode


def played_names(prefix: str) -> tuple[str, ...]:
    """Return the names of the strings that survive a restart."""
    return tuple(f"{prefix}_played_{topic}" for topic in TOPICS)


class Replay:
    """How far a recording was stored by earlier connections, and is by this one."""

    def __init__(self, prefix: str, resume: Resume) -> None:
        self.is_on = False
        self._is_live = False
        self._prefix = prefix
        self._before = {topic: _decode(resume.state.get(f"{prefix}_played_{topic}") or "{}") for topic in TOPICS}
        self._played: defaultdict[str, dict[str, int]] = defaultdict(
            dict, {topic: dict(times) for topic, times in self._before.items()}
        )

    def look(self, event_ns: int, received_ns: int) -> None:
        """Judge by the time of a message whether this is a recording; one recent message proves that it is none."""
        if not self._is_live:
            self._is_live = received_ns - event_ns < WEEK_NS
            self.is_on = not self._is_live

    def is_repeat(self, topic: str, symbol: str, event_ns: int) -> bool:
        """Return whether an earlier connection stored this; remember it if not."""
        if event_ns <= self._before[topic].get(symbol, -1):
            return True
        times = self._played[topic]
        times[symbol] = max(event_ns, times.get(symbol, event_ns))
        return False

    def checkpoint(self, topic: str) -> Checkpoint:
        """Return how far the recording is stored now."""
        return Checkpoint(topic, {f"{self._prefix}_played_{topic}": msgspec.json.encode(self._played[topic]).decode()})
