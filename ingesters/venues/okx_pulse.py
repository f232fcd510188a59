"""Which subscriptions of OKX have fallen silent while others speak, and the requests that wake them."""

from collections.abc import Iterable, Iterator

from ingesters.feed import Step, Wake
from ingesters.venues.okx_readers import Readers
from ingesters.venues.okx_sockets import Sockets
from ingesters.venues.okx_subscriptions import BUSINESS_CHANNELS, PUBLIC_CHANNELS
from ingesters.venues.okx_wire import VENUE
from ingesters.venues.pulse import Pulse

KEY = "pulse"
RARELY = 5  # times as long may trades be silent, and the candles that are made of them


class OkxPulse:
    """When each channel of each symbol was heard last, looked at now and then."""

    def __init__(self, mute_s: float, readers: Readers, sockets: Sockets) -> None:
        # A book without a change says so once a minute.
        least_s = dict.fromkeys(PUBLIC_CHANNELS, mute_s) | dict.fromkeys(BUSINESS_CHANNELS, RARELY * mute_s)
        self._pulse = Pulse(VENUE, least_s)
        self._readers, self._sockets = readers, sockets

    @property
    def wake(self) -> Wake:
        """Return the alarm for the next look."""
        return Wake(KEY, self._pulse.every_s)

    def look(self, symbols: Iterable[str], now_ns: int) -> Iterator[Step]:
        """Yield what has become mute or speaks again, and the requests."""
        wanted, heard = list(symbols), self._readers.heard
        places = [(channel, symbol) for channel in (*PUBLIC_CHANNELS, *BUSINESS_CHANNELS) for symbol in wanted]
        yield from self._pulse.look({place: heard.get(place) for place in places}, now_ns)
        for channel, symbol in self._pulse.mute:
            yield from self._sockets.renew(channel, symbol, now_ns)
        yield self.wake
