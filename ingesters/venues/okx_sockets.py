"""The sockets of OKX: which stand, what is subscribed on each, and whether they still bring data."""

from collections.abc import Callable, Iterable, Iterator

from common.clock import NS_PER_S
from common.errors import WireLost
from ingesters.feed import Dial, KeepAlive, Step, Wake
from ingesters.venues.okx_requests import AGAIN, Requests
from ingesters.venues.okx_subscriptions import (
    BUSINESS,
    BUSINESS_CHANNELS,
    PUBLIC_CHANNELS,
    Places,
    Renewals,
)
from ingesters.venues.okx_wire import VENUE

DIAL, SUBSCRIBE = "dial:", "subscribe:"
WAKES = (DIAL, SUBSCRIBE, AGAIN)
PING = KeepAlive(b"ping", every_s=20.0)  # without a word for 30 s the venue hangs up with 4004
DIAL_EVERY_S = 0.5  # the venue allows 3 connections a second


class Sockets:
    """One business socket, and a public one for each thirty symbols."""

    def __init__(self, ws_url: str, mute_s: float) -> None:
        self._ws_url = ws_url
        self._mute_s = mute_s
        self._places = Places()
        self._standing: dict[str, int] = {}  # when each socket that is subscribed has brought data; 0: not yet
        self.requests = Requests()
        self.renewals = Renewals(self._places, self.requests)
        self.heard: Callable[[str, int], None] = self._standing.__setitem__  # for every frame: no call of ours

    def opening(self, symbols: Iterable[str]) -> Iterator[Step]:
        """Dial the business socket and the first public one, and the others a little later."""
        wanted = list(symbols)
        yield self._dial(BUSINESS)
        yield from self._subscribe(BUSINESS, wanted)
        for number, name in enumerate(self._places.take(wanted)):
            if number:
                yield Wake(f"{DIAL}{name}", after_s=number * DIAL_EVERY_S)
            else:
                yield self._dial(name)
                yield from self._subscribe(name, self._places.on(name))

    def wake(self, key: str, now_ns: int) -> Iterable[Step]:
        """Dial or subscribe what it is time for; nothing is subscribed on a socket whose dialling failed."""
        if key.startswith(AGAIN):
            return self.requests.again(key.removeprefix(AGAIN), now_ns)
        if key.startswith(DIAL):
            name = key.removeprefix(DIAL)
            return (self._dial(name), Wake(f"{SUBSCRIBE}{name}", 0.0))
        name = key.removeprefix(SUBSCRIBE)
        return self._subscribe(name, self._places.on(name))

    def add(self, symbols: tuple[str, ...]) -> Iterator[Step]:
        """Subscribe more symbols, on sockets that stand as far as they have room."""
        new = self._places.take(symbols)
        yield from self._subscribe(BUSINESS, symbols)
        for name, placed in self._places.by_wire(symbols):
            if name in self._standing:  # if not, its symbols are subscribed when it is
                yield from self._subscribe(name, placed)
        for number, name in enumerate(new):
            yield Wake(f"{DIAL}{name}", after_s=number * DIAL_EVERY_S)

    def remove(self, symbols: tuple[str, ...]) -> Iterator[Step]:
        """Unsubscribe symbols."""
        yield from self.requests.send("unsubscribe", BUSINESS_CHANNELS, symbols, BUSINESS)
        for name, placed in self._places.by_wire(symbols):
            if name in self._standing:
                yield from self.requests.send("unsubscribe", PUBLIC_CHANNELS, placed, name)
        for symbol in symbols:
            self.renewals.forget(symbol)
            self._places.leave(symbol)

    def renew(self, channel: str, symbol: str, now_ns: int) -> Iterator[Step]:
        """Subscribe anew to one channel of a symbol, if the socket is not asked too much."""
        wire = BUSINESS if channel in BUSINESS_CHANNELS else self._places.of(symbol)
        if wire in self._standing and self.requests.is_room(wire, now_ns):
            yield from self.requests.renew((channel,), (symbol,), wire)

    def tend(self, now_ns: int) -> Iterator[Step]:
        """
        Ask again for books that did not come.

        Raises:
            WireLost: a socket that has symbols says nothing but pong; the loop takes that for life.
        """
        for name, heard_ns in self._standing.items():
            is_idle = name != BUSINESS and not self._places.on(name)
            self._standing[name] = now_ns if is_idle else heard_ns or now_ns
            if heard_ns and not is_idle and now_ns - heard_ns > self._mute_s * NS_PER_S:
                raise WireLost(VENUE, reason=f"{name}: no data for {self._mute_s:g} s")
        self.renewals.start_clock(now_ns)
        yield from self.renewals.due(now_ns)

    def _subscribe(self, name: str, symbols: Iterable[str]) -> Iterator[Step]:
        channels = BUSINESS_CHANNELS if name == BUSINESS else PUBLIC_CHANNELS
        wanted = list(symbols)
        self._standing.setdefault(name, 0)
        if name != BUSINESS:
            self.renewals.expect(wanted)
        yield from self.requests.send("subscribe", channels, wanted, name)

    def _dial(self, name: str) -> Dial:
        path = "business" if name == BUSINESS else "public"
        return Dial(f"{self._ws_url}/ws/v5/{path}", wire=name, keep_alive=PING)
