"""
What the venue lets us hear, and whether it does: open segments, subscriptions without an answer, silence.

Nothing comes in a quiet night but pings, so silence means something only while the venue itself says that a segment of
ours is open. A subscription that is not granted is ignored without a word; what was asked for and never came is told.
"""

from collections.abc import Iterator, Sequence

import msgspec

from common.clock import NS_PER_MS, NS_PER_S
from common.errors import WireLost
from common.records import FeedEvent, Status
from ingesters.feed import Send, Step
from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.upstox_ticks import Moment
from ingesters.venues.upstox_wire import VENUE, venue_ns

# Keys on one connection; past it the venue ignores the request. https://upstox.com/developer/api-documentation
MOST_KEYS = {"ltpc": 5000, "full": 2000, "option_greeks": 3000, "full_d30": 50}
GRANTED_WITHIN_NS = 30 * NS_PER_S  # by then every key of a subscription has had its first tick
ATTEMPTS = 2
OPEN = "NORMAL_OPEN"
LOOKS_IN_SILENCE = 2  # of the feed: one may come before the frames that wait behind it


class Subscriptions:
    """Which keys are subscribed to, and which of them have not been heard yet."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._guids = 0
        self._held: dict[str, None] = {}
        self._waiting: dict[str, tuple[int, int]] = {}  # since when, at which attempt

    def add(self, keys: Sequence[str], now_ns: int) -> Iterator[Step]:
        """Subscribe, as far as the venue takes it; what is too much is told."""
        room = MOST_KEYS[self._mode] - len(self._held)
        wanted, too_many = keys[: max(0, room)], keys[max(0, room) :]
        for key in too_many:
            reason = f"not subscribed to: the venue takes {MOST_KEYS[self._mode]} keys on a connection in this mode"
            yield _refused(key, now_ns, now_ns, reason)
        if wanted:
            self._held |= dict.fromkeys(wanted)
            self._waiting |= dict.fromkeys(wanted, (now_ns, 1))
            yield self._request("sub", wanted)

    def remove(self, keys: Sequence[str]) -> Iterator[Send]:
        """Unsubscribe."""
        held = [key for key in keys if key in self._held]
        for key in held:
            del self._held[key]
            self._waiting.pop(key, None)
        if held:
            yield self._request("unsub", held)

    def heard(self, key: str) -> None:
        """Note that a key is served."""
        self._waiting.pop(key, None)

    def look(self, now_ns: int) -> Iterator[Step]:
        """Ask once more for keys that were not heard in time; tell those that were not heard then either."""
        late = [key for key, (since_ns, _) in self._waiting.items() if now_ns - since_ns > GRANTED_WITHIN_NS]
        again = [key for key in late if self._waiting[key][1] < ATTEMPTS]
        for key in late:
            since_ns, attempt = self._waiting.pop(key)
            if attempt < ATTEMPTS:
                self._waiting[key] = (now_ns, attempt + 1)
            else:
                reason = "subscribed to, and nothing came: unknown, not allowed, or over the limit of the account"
                yield _refused(key, since_ns, now_ns, reason)
        if again:
            yield self._request("sub", again)

    def _request(self, method: str, keys: Sequence[str]) -> Send:
        self._guids += 1
        data: dict[str, object] = {"instrumentKeys": list(keys)}
        if method == "sub":
            data = {"mode": self._mode, **data}
        request = {"guid": f"tickfleet-{self._guids}", "method": method, "data": data}
        return Send(msgspec.json.encode(request), is_binary=True)  # a text frame is ignored without a word


class Session:
    """Which segments are open, and when the socket was last heard."""

    def __init__(self, mute_s: float) -> None:
        self._mute_ns = int(mute_s * NS_PER_S)
        self._segments: dict[str, str] = {}
        self._told: dict[tuple[str, str], tuple[str, int]] = {}
        self._heard_ns = 0
        self._silent_looks = 0

    def heard(self, now_ns: int) -> None:
        """Note that a frame came, or that the socket was dialled."""
        self._heard_ns = now_ns
        self._silent_looks = 0

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

    def look(self, keys: Sequence[str], now_ns: int) -> None:
        """
        Judge a silence.

        Raises:
            WireLost: it means that the connection is dead.
        """
        if not self._heard_ns or now_ns - self._heard_ns < self._mute_ns or not self._should_speak(keys):
            return
        self._silent_looks += 1
        if self._silent_looks >= LOOKS_IN_SILENCE:
            silent_s = (now_ns - self._heard_ns) // NS_PER_S
            why = "from a market that is open" if self._segments else "after the dial, not even the market status"
            raise WireLost(VENUE, reason=f"nothing came for {silent_s} s {why}")

    def _should_speak(self, keys: Sequence[str]) -> bool:
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


def _refused(key: str, from_ns: int, to_ns: int, reason: str) -> FeedEvent:
    return FeedEvent(
        VENUE, key, to_ns, channel="subscription", kind="refused", from_ns=from_ns, to_ns=to_ns, detail=reason
    )


def moment_of(response: pb.FeedResponse, received_ns: int) -> Moment:
    """Return when a frame was made and came."""
    stamp_ms = response.currentTs
    return Moment(received_ns, stamp_ms * NS_PER_MS or None, stamp_ms or None)
