"""Which symbols of Binance are listened to on which socket, also while they change."""

from collections.abc import Iterable, Iterator
from urllib.parse import quote

import msgspec

from common.settings import Settings
from ingesters.feed import Dial, Send, Step
from ingesters.venues.binance_told import histories

STREAMS = ("trade", "bookTicker", "depth@100ms", "kline_1m", "ticker")
SYMBOLS_A_WIRE = 50  # 250 streams; the venue allows 1024, but the address has to fit a request line


class Roster:
    """
    Sockets, with up to fifty symbols on each.

    A symbol whose history is wanted in aggregate trades is recorded in these, so that both have one numbering.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.binance_ws_url
        self._trade_streams = {symbol: kind for symbol, kind, _ in histories(settings)}
        self._wires: list[list[str]] = []
        self._commands = 0

    def add(self, symbols: Iterable[str]) -> Iterator[Step]:
        """Listen to more symbols: on a living socket where there is room, else on a new one."""
        waiting = list(symbols)
        for number, on_wire in enumerate(self._wires):
            room = SYMBOLS_A_WIRE - len(on_wire)
            fitting, waiting = waiting[:room], waiting[room:]
            if fitting:
                on_wire.extend(fitting)
                yield self._command("SUBSCRIBE", fitting, number)
        for start in range(0, len(waiting), SYMBOLS_A_WIRE):
            self._wires.append(waiting[start : start + SYMBOLS_A_WIRE])
            names = quote("/".join(self._streams(self._wires[-1])), safe="/@")
            yield Dial(f"{self._url}/stream?streams={names}", wire=_name(len(self._wires) - 1))

    def remove(self, symbols: Iterable[str]) -> Iterator[Step]:
        """Listen to these symbols no longer; the socket stays."""
        leaving = set(symbols)
        for number, on_wire in enumerate(self._wires):
            left = [symbol for symbol in on_wire if symbol in leaving]
            if left:
                on_wire[:] = [symbol for symbol in on_wire if symbol not in leaving]
                yield self._command("UNSUBSCRIBE", left, number)

    def renew(self, places: Iterable[tuple[str, str]]) -> Iterator[Step]:
        """Subscribe anew to streams of symbols, each on the socket where it is."""
        wanted = list(places)
        for number, on_wire in enumerate(self._wires):
            streams = [f"{symbol.lower()}@{self._named(symbol, name)}" for name, symbol in wanted if symbol in on_wire]
            if streams:
                yield self._send("UNSUBSCRIBE", streams, number)
                yield self._send("SUBSCRIBE", streams, number)

    def _streams(self, symbols: Iterable[str]) -> list[str]:
        return [f"{symbol.lower()}@{self._named(symbol, stream)}" for symbol in symbols for stream in STREAMS]

    def _named(self, symbol: str, stream: str) -> str:
        return self._trade_streams.get(symbol, stream) if stream == "trade" else stream

    def _command(self, method: str, symbols: list[str], number: int) -> Send:
        return self._send(method, self._streams(symbols), number)

    def _send(self, method: str, streams: list[str], number: int) -> Send:
        self._commands += 1
        command = {"method": method, "params": streams, "id": self._commands}
        return Send(msgspec.json.encode(command), wire=_name(number))


def _name(number: int) -> str:
    return f"ws{number}"
