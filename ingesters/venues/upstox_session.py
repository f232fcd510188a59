"""
What the markets do, and whether a silence means something.

Nothing comes in a quiet night but pings, so silence is judged only while the venue itself says that a segment of ours
is open. Even then it may be that nobody trades what we listen to: a silent socket is asked before it is given up.
"""

from collections.abc import Iterable, Iterator, Mapping

from common.clock import NS_PER_MS, NS_PER_S
from common.errors import WireLost
from common.records import Status
from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.upstox_ticks import Moment
from ingesters.venues.upstox_wire import VENUE, venue_ns

OPEN = "NORMAL_OPEN"
ASKED_AT, LOST_AT = 1, 3  # looks of the feed in a row that find a socket silent


class Session:
    """Which segments are open, and when each socket was last heard."""

    def __init__(self, mute_s: float) -> None:
        self._mute_ns = int(mute_s * NS_PER_S)
        self._segments: dict[str, str] = {}
        self._told: dict[tuple[str, str], tuple[str, int]] = {}
        self._heard_ns: dict[str, int] = {}
        self._silent_looks: dict[str, int] = {}

    def heard(self, wire: str, now_ns: int) -> None:
        """Note that a frame came, or that a socket was dialled."""
        self._heard_ns[wire] = now_ns
        self._silent_looks[wire] = 0

    def statuses(self, info: pb.MarketInfo, moment: Moment) -> Iterator[Status]:
        """Yield what has changed in the status of the segments."""
        for segment in sorted(info.segmentStatus):
            number = info.segmentStatus[segment]
            word = pb.MarketStatus.Name(number) if number in pb.MarketStatus.values() else str(number)
            self._segments[segment] = word
            if self._is_news(segment, "", word, 0):
                yield _status(segment, "", word, moment)
        for reason, told in (("closing auction", info.casMarketStatus), ("pre-open", info.preOpenSessionStatus)):
            for segment in sorted(told):
                word, since_ms = told[segment].status, told[segment].updatedTime
                if self._is_news(segment, reason, word, since_ms):
                    yield _status(segment, reason, word, moment._replace(event_ns=venue_ns(since_ms)))

    def silent(self, held: Mapping[str, Iterable[str]], now_ns: int) -> Iterator[str]:
        """
        Yield the sockets that should have said something and must be asked whether they live.

        Raises:
            WireLost: one was asked, and does not.
        """
        for wire, keys in held.items():
            silent_ns = now_ns - self._heard_ns.get(wire, now_ns)
            if silent_ns < self._mute_ns or not self._should_speak(keys):
                continue
            self._silent_looks[wire] += 1
            if self._silent_looks[wire] == ASKED_AT:
                yield wire
            elif self._silent_looks[wire] >= LOST_AT:
                why = "from a market that is open" if self._segments else "after the dial, not even the market status"
                raise WireLost(VENUE, reason=f"{wire}: nothing came for {silent_ns // NS_PER_S} s {why}")

    def _should_speak(self, keys: Iterable[str]) -> bool:
        """Return whether a segment of ours is open; before its first frame the venue owes us the status itself."""
        return not self._segments or any(self._segments.get(key.partition("|")[0]) == OPEN for key in keys)

    def _is_news(self, segment: str, reason: str, word: str, since_ms: int) -> bool:
        was = self._told.get((segment, reason))
        self._told[segment, reason] = (word, since_ms)
        return was != (word, since_ms)


def _status(segment: str, reason: str, word: str, moment: Moment) -> Status:
    return Status(
        VENUE,
        segment,
        moment.received_ns,
        event_ns=moment.event_ns,
        kind="session",
        status=word,
        reason=reason,
    )


def moment_of(response: pb.FeedResponse, received_ns: int) -> Moment:
    """Return when a frame was made and came."""
    stamp_ms = response.currentTs
    return Moment(received_ns, stamp_ms * NS_PER_MS or None, stamp_ms or None)
