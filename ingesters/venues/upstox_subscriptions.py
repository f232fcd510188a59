"""
Which keys are subscribed to on which socket, and which of them have not been heard yet.

The venue never answers a subscription, and ignores one that it does not grant. So what was asked for and never came is
told, and so is what is too much to ask for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from common.clock import NS_PER_S
from common.records import FeedEvent
from ingesters.feed import Send, Step
from ingesters.venues.upstox_wire import VENUE

# Keys on one connection; past it the venue ignores the request. https://upstox.com/developer/api-documentation
MOST_KEYS = {"ltpc": 5000, "full": 2000, "option_greeks": 3000, "full_d30": 50}
GRANTED_WITHIN_NS = 30 * NS_PER_S  # by then every key of a subscription has had its first tick
ATTEMPTS = 2
PROBED_KEYS = 20


class Subscriptions:
    """The keys of each socket that stands; those that it cannot take wait for the next one, if there may be one."""

    def __init__(self, mode: str, most_wires: int) -> None:
        self._mode = mode
        self._most_wires = most_wires
        self._guids = 0
        self._held: dict[str, dict[str, None]] = {}
        self._homeless: dict[str, None] = {}
        self._waiting: dict[str, tuple[int, int]] = {}  # since when, at which attempt

    @property
    def held(self) -> Mapping[str, Iterable[str]]:
        """Return the keys of each socket."""
        return self._held

    @property
    def next_wire(self) -> str | None:
        """Return the name of the socket that should be dialled, None if those that stand are enough."""
        if not self._held:
            return "main"
        return f"more{len(self._held)}" if self._homeless else None

    def opened(self, wire: str, now_ns: int) -> Iterator[Step]:
        """Subscribe on a new socket to what waits for one."""
        self._held[wire] = {}
        homeless, self._homeless = self._homeless, {}
        yield from self.add(tuple(homeless), now_ns)

    def add(self, keys: Sequence[str], now_ns: int) -> Iterator[Step]:
        """Subscribe where there is room."""
        for wire, held in self._held.items():
            room = MOST_KEYS[self._mode] - len(held)
            here, keys = keys[:room], keys[room:]
            if here:
                held.update(dict.fromkeys(here))
                self._waiting |= dict.fromkeys(here, (now_ns, 1))
                yield self._request("sub", here, wire)
        if len(self._held) < self._most_wires:
            self._homeless |= dict.fromkeys(keys)
            return
        for key in keys:
            most = MOST_KEYS[self._mode]
            yield _refused(key, now_ns, now_ns, f"a connection takes {most} keys: see UPSTOX_CONNECTIONS")

    def remove(self, keys: Sequence[str]) -> Iterator[Send]:
        """Unsubscribe."""
        for key in keys:
            self._waiting.pop(key, None)
            self._homeless.pop(key, None)
        for wire, held in self._held.items():
            gone = [key for key in keys if key in held]
            for key in gone:
                del held[key]
            if gone:
                yield self._request("unsub", gone, wire)

    def heard(self, key: str) -> None:
        """Note that a key is served."""
        self._waiting.pop(key, None)

    def probe(self, wire: str) -> Iterator[Send]:
        """Subscribe once more to some keys of a silent socket: what is alive answers with their state."""
        keys = list(self._held[wire])[:PROBED_KEYS]
        if keys:
            yield self._request("sub", keys, wire)

    def look(self, now_ns: int) -> Iterator[Step]:
        """Ask once more for keys that were not heard in time; tell those that were not heard then either."""
        late = [key for key, (since_ns, _) in self._waiting.items() if now_ns - since_ns > GRANTED_WITHIN_NS]
        again = {key for key in late if self._waiting[key][1] < ATTEMPTS}
        for key in late:
            since_ns, attempt = self._waiting.pop(key)
            if key in again:
                self._waiting[key] = (now_ns, attempt + 1)
            else:
                reason = "subscribed to, and nothing came: unknown, not allowed, or over the limit of the account"
                yield _refused(key, since_ns, now_ns, reason)
        for wire, held in self._held.items():
            if here := [key for key in held if key in again]:
                yield self._request("sub", here, wire)

    def _request(self, method: str, keys: Sequence[str], wire: str) -> Send:
        self._guids += 1
        data: dict[str, object] = {"instrumentKeys": list(keys)}
        if method == "sub":
            data = {"mode": self._mode, **data}
        request = {"guid": f"tickfleet-{self._guids}", "method": method, "data": data}
        return Send(msgspec.json.encode(request), wire, is_binary=True)  # a text frame is ignored without a word


def _refused(key: str, from_ns: int, to_ns: int, reason: str) -> FeedEvent:
    return FeedEvent(
        VENUE, key, to_ns, channel="subscription", kind="refused", from_ns=from_ns, to_ns=to_ns, detail=reason
    )
