"""Signing in to Alpaca and subscribing: one command at a time, each judged by its answer."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from common.errors import FeedRefused, WireLost
from common.records import FeedEvent
from common.settings import Settings
from ingesters.feed import Send, Step
from ingesters.venues.alpaca_backfill import event
from ingesters.venues.alpaca_codec import Codec
from ingesters.venues.alpaca_market import Market
from ingesters.venues.alpaca_rest import keys
from ingesters.venues.alpaca_wire import VENUE, ErrorMessage, SubscriptionMessage, SuccessMessage

SYMBOLS_A_COMMAND = (
    100  # a venue that was asked for 1,800 one by one fell silent; chunks of a hundred are known to work
)
SYNTAX, SECOND_SIGN_IN, TOO_MANY_SYMBOLS, UNKNOWN_CHANNEL = 400, 403, 405, 410
# 402 auth failed, 409 insufficient subscription, 411 insufficient scope: a person must act.
FOR_GOOD = (402, 409, 411)
# 401 not authenticated, 404 auth timeout, 406 connection limit, 407 slow client, 500 internal error: dial again, later.
THIS_TIME = (401, 404, 406, 407, 500)


class Order(NamedTuple):
    """A command to be sent."""

    action: str
    channels: tuple[str, ...]
    symbols: tuple[str, ...]


class Session:
    """One connection, from the greeting to the last subscription; `is_ready` once all that must be had is had."""

    def __init__(
        self, settings: Settings, market: Market, codec: Codec, kept_on: Sequence[str], *, is_binary: bool
    ) -> None:
        self.is_ready = False
        self._kept_on = kept_on  # listened to before this connection, though not in the settings
        self._settings = settings
        self._market = market
        self._codec = codec
        self._is_binary = is_binary
        self._waiting: deque[Order] = deque()
        self._sent: Order | None = None
        self._left_out: set[str] = set()
        self._wanted: dict[str, set[str]] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols whose trades are subscribed to."""
        return tuple(sorted(self._wanted.get("trades", ())))

    def success(self, message: SuccessMessage) -> Iterator[Step]:
        """Answer the greeting with the keys, and the welcome with the subscriptions."""
        if message.msg == "connected":
            key, secret = keys(self._settings)
            yield self._send({"action": "auth", "key": key, "secret": secret})
        elif message.msg == "authenticated":
            yield from self.change(added=self._market.symbols)
            yield from self.change(added=self._kept_on)

    def change(self, *, added: Sequence[str] = (), removed: Sequence[str] = ()) -> Iterator[Step]:
        """Subscribe to some symbols and leave others."""
        market = self._market
        every = (*market.channels, *market.extras)
        if removed:
            self._waiting.append(Order("unsubscribe", every, tuple(removed)))
        for channels in (market.channels, *((extra,) for extra in market.extras)):
            for start in range(0, len(added), SYMBOLS_A_COMMAND):
                part = tuple(added[start : start + SYMBOLS_A_COMMAND])
                self._waiting.append(Order("subscribe", channels, part))
        self._left_out -= set(added)
        yield from self._next()

    def renew(self, channel: str, symbol: str) -> Iterator[Step]:
        """
        Subscribe anew to one channel of a symbol.

        Trades are not left for it: one that happened just then would be lost, if the silence was none.
        """
        for action in ("subscribe",) if channel == "trades" else ("unsubscribe", "subscribe"):
            self._waiting.append(Order(action, (channel,), (symbol,)))
        yield from self._next()

    def subscribed(self, message: SubscriptionMessage, received_ns: int) -> Iterator[Step]:
        """Go on with the next command; compare what is subscribed to with what was asked for when all are through."""
        if self._sent is not None:
            self._note(self._sent)
            self._sent = None
        yield from self._next()
        if self._sent is None:
            yield from self._missing(message, received_ns)

    def refused(self, message: ErrorMessage, received_ns: int) -> Iterator[Step]:
        """
        Say what an error means.

        Raises:
            FeedRefused: asking again cannot help.
            WireLost: it may.
        """
        code, reason = message.code, f"{message.code} {message.msg}"
        order, self._sent = self._sent, None
        must_have = order is None or order.channels == self._market.channels
        if code == SECOND_SIGN_IN:
            self._sent = order
            return
        if code in FOR_GOOD or (not self.is_ready and must_have and code in (SYNTAX, UNKNOWN_CHANNEL)):
            raise FeedRefused(VENUE, reason=f"{reason}{_worded(order)}")
        if code in THIS_TIME:
            raise WireLost(VENUE, reason=reason)
        yield self._told(reason, order, received_ns)
        if order is not None and code == TOO_MANY_SYMBOLS:
            self._shrink(order, reason)
        yield from self._next()

    def _shrink(self, order: Order, reason: str) -> None:
        """Ask for the first half; the plan does not allow them all, and the venue took none."""
        half = len(order.symbols) // 2
        if order.channels == self._market.channels:
            self._left_out |= set(order.symbols[half:])
        if half:
            self._waiting.appendleft(order._replace(symbols=order.symbols[:half]))
        elif not self.is_ready and not self._wanted and order.channels == self._market.channels:
            raise FeedRefused(VENUE, reason=f"{reason}{_worded(order)}")

    def _next(self) -> Iterator[Step]:
        """Send the next command, if none is under way."""
        while self._sent is None and self._waiting:
            order = self._waiting.popleft()
            symbols = tuple(symbol for symbol in order.symbols if symbol not in self._left_out)
            if symbols:
                self._sent = order._replace(symbols=symbols)
                yield self._send({"action": order.action, **dict.fromkeys(order.channels, symbols)})
        self.is_ready = self.is_ready or (bool(self._wanted) and not self._is_waiting_for_channels())

    def _is_waiting_for_channels(self) -> bool:
        orders = [*self._waiting, *([self._sent] if self._sent else [])]
        return any(order.channels == self._market.channels for order in orders)

    def _note(self, order: Order) -> None:
        for channel in order.channels:
            wanted = self._wanted.setdefault(channel, set())
            if order.action == "subscribe":
                wanted.update(order.symbols)
            else:
                wanted.difference_update(order.symbols)

    def _missing(self, message: SubscriptionMessage, received_ns: int) -> Iterator[FeedEvent]:
        for channel in self._wanted:
            missing = self._wanted[channel] - set(getattr(message, channel) or ())
            if missing:
                self._wanted[channel] -= missing
                expected = ", ".join(sorted(missing))
                detail = "asked for, and not among what the venue confirms"
                span = received_ns, received_ns
                yield event("refused", channel, "", span, received_ns, expected=expected, detail=detail)

    def _told(self, reason: str, order: Order | None, received_ns: int) -> FeedEvent:
        span = received_ns, received_ns
        channel = ", ".join(order.channels) if order else "session"
        return event("refused", channel, "", span, received_ns, detail=f"{reason}{_worded(order)}")

    def _send(self, command: object) -> Send:
        return Send(self._codec.encode(command), is_binary=self._is_binary)


def _worded(order: Order | None) -> str:
    if order is None:
        return ""
    return f", to {order.action} {', '.join(order.channels)} of {_some(order.symbols)}"


def _some(symbols: Iterable[str]) -> str:
    return ", ".join(symbols)[:200]
