"""Which subscriptions of Alpaca have fallen silent while others speak: a confirmed one may never deliver."""

from collections.abc import Iterable, Iterator

from common.records import Bar, BookUpdate, Quote, Record, Trade
from ingesters.feed import Step, Wake
from ingesters.venues.alpaca_backfill import EVERY
from ingesters.venues.alpaca_market import Market
from ingesters.venues.alpaca_session import Session
from ingesters.venues.alpaca_wire import VENUE, Message
from ingesters.venues.pulse import Place, Pulse

KEY = "pulse"
CHANNELS: dict[type, str] = {Trade: "trades", Quote: "quotes", Bar: "bars", BookUpdate: "orderbooks"}
RARELY = 5  # times as long may trades be silent, and the bars that are made of them
OFTEN = ("quotes", "orderbooks")


class AlpacaPulse:
    """When each channel of each symbol was heard last, looked at now and then while the market is open."""

    def __init__(self, mute_s: float, market: Market, session: Session) -> None:
        least_s = mute_s / 2  # before the loop calls the socket mute
        often = dict.fromkeys(OFTEN, least_s)
        self._pulse = Pulse(VENUE, {name: often.get(name, RARELY * least_s) for name in market.channels})
        self._market, self._session = market, session
        self._heard: dict[Place, int] = {}

    @property
    def wake(self) -> Wake:
        """Return the alarm for the next look."""
        return Wake(KEY, self._pulse.every_s)

    def hear(self, one: Record | Message) -> None:
        """Take note of what a subscription brought; what is said about the session is none."""
        channel = CHANNELS.get(type(one))
        if channel and isinstance(one, Record):
            self._heard[channel, one.symbol] = one.received_ns

    def look(self, symbols: Iterable[str], now_ns: int) -> Iterator[Step]:
        """Yield what has become mute or speaks again, and the commands; a closed market begins anew when it opens."""
        wanted = [symbol for symbol in symbols if symbol != EVERY] if self._market.is_busy(now_ns) else []
        places = [(channel, symbol) for channel in self._market.channels for symbol in wanted]
        yield from self._pulse.look({place: self._heard.get(place) for place in places}, now_ns)
        for channel, symbol in self._pulse.mute:
            yield from self._session.renew(channel, symbol)
        yield self.wake
