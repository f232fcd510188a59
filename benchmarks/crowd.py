"""
`python -m benchmarks.crowd`: Binance's and OKX's sockets with a thousand books that each change ten times a second.

It prints its port, speaks both protocols on it, and serves until standard input ends.
"""

import asyncio
import json
import sys
import time
from urllib.parse import parse_qs, urlsplit

import uvloop
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from benchmarks.trades import frame

TICK_S = 0.1
BINANCE_LEVELS, OKX_LEVELS = 28, 8  # a side, of a message: 1.7 kB and 1 kB, as busy symbols have them
IDS_A_TICK = 10
SLICES = 10  # of a tick: a venue does not tell of all its books in the same millisecond
NS_PER_MS = 1_000_000

BIDS = [[f"{60000 - level * 0.5:.2f}000000", f"{level % 7 + 0.25:.5f}000"] for level in range(400)]
ASKS = [[f"{60001 + level * 0.5:.2f}000000", f"{level % 5 + 0.75:.5f}000"] for level in range(400)]
BINANCE_DELTA = (
    json.dumps(BIDS[:BINANCE_LEVELS], separators=(",", ":")),
    json.dumps(ASKS[:BINANCE_LEVELS], separators=(",", ":")),
)
OKX_SIDES = [[[price, size, "0", "3"] for price, size in side] for side in (ASKS, BIDS)]
OKX_DELTA = ",".join(
    f'"{name}":{json.dumps(side[:OKX_LEVELS], separators=(",", ":"))}'
    for name, side in zip(("asks", "bids"), OKX_SIDES, strict=True)
)
OKX_WHOLE = ",".join(
    f'"{name}":{json.dumps(side, separators=(",", ":"))}'
    for name, side in zip(("asks", "bids"), OKX_SIDES, strict=True)
)


class Client(WSListener):
    """One connection and the books that it has asked for."""

    def __init__(self, crowd: "Crowd", streams: list[str]) -> None:
        self.transport: WSTransport | None = None
        self.joining = [name.partition("@")[0].upper() for name in streams if "@depth" in name]
        self.slices: list[list[str]] = [[] for _ in range(SLICES)]
        self.is_okx = not streams
        self.crowd = crowd

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Join the crowd."""
        self.transport = transport
        self.crowd.clients.add(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Leave it."""
        del transport
        self.crowd.clients.discard(self)

    def on_ws_frame(self, transport: WSTransport, received: WSFrame) -> None:
        """Hear a command; Binance's are acknowledged, OKX's answered one by one."""
        if received.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif received.msg_type == WSMsgType.TEXT:
            text = received.get_payload_as_ascii_text()
            if text == "ping":
                self.write(b"pong")
            else:
                self.obey(json.loads(text))

    def obey(self, command: dict[str, object]) -> None:
        """Do what a command says."""
        if not self.is_okx:
            self.write(json.dumps({"result": None, "id": command.get("id")}).encode())
            return
        arguments = command.get("args")
        for argument in arguments if isinstance(arguments, list) else []:
            said = {"event": command["op"], "arg": argument, "connId": "a4d3ae55"}
            self.write(json.dumps(said, separators=(",", ":")).encode())
            if argument["channel"] == "books" and command["op"] == "subscribe":
                self.write(okx_book(argument["instId"], self.crowd.tick, OKX_WHOLE, "snapshot"))
                self.joining.append(argument["instId"])
            elif argument["channel"] == "books":
                self.leave(argument["instId"])

    def join(self) -> None:
        """Let the books that were asked for change from now on: in the tick of their snapshot they have."""
        for book in self.joining:
            min(self.slices, key=len).append(book)
        self.joining.clear()

    def leave(self, book: str) -> None:
        """Tell no more of a book."""
        for books in (self.joining, *self.slices):
            if book in books:
                books.remove(book)

    def write(self, payload: bytes) -> None:
        """Send a message."""
        if self.transport is not None:
            self.transport.underlying_transport.write(frame(payload) if len(payload) < 2**16 else _long(payload))


class Crowd:
    """All connections, and the one clock of all books."""

    def __init__(self) -> None:
        self.clients: set[Client] = set()
        self.tick = 1

    async def run(self) -> None:
        """Let every book change ten times a second, for ever."""
        while True:
            start_s = time.monotonic()
            self.tick += 1
            for client in self.clients:
                client.join()
            for part in range(SLICES):
                for client in list(self.clients):
                    self._tell(client, client.slices[part])
                await asyncio.sleep(max(0.0, start_s + TICK_S * (part + 1) / SLICES - time.monotonic()))

    def _tell(self, client: Client, books: list[str]) -> None:
        if not books or client.transport is None:
            return
        messages = [
            okx_book(book, self.tick, OKX_DELTA, "update") if client.is_okx else binance_book(book, self.tick)
            for book in books
        ]
        client.transport.underlying_transport.write(b"".join([frame(message) for message in messages]))


def binance_book(symbol: str, tick: int) -> bytes:
    """Return a change of a Binance book."""
    bids, asks = BINANCE_DELTA
    last = tick * IDS_A_TICK
    return (
        f'{{"stream":"{symbol.lower()}@depth@100ms","data":{{"e":"depthUpdate","E":{time.time_ns() // NS_PER_MS},'
        f'"s":"{symbol}","U":{last - IDS_A_TICK + 1},"u":{last},"b":{bids},"a":{asks}}}}}'
    ).encode()


def okx_book(symbol: str, tick: int, levels: str, action: str) -> bytes:
    """Return a snapshot or a change of an OKX book."""
    last = tick * IDS_A_TICK
    before = -1 if action == "snapshot" else last - IDS_A_TICK
    return (
        f'{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"{action}","data":[{{{levels},'
        f'"ts":"{time.time_ns() // NS_PER_MS}","checksum":0,"seqId":{last},"prevSeqId":{before}}}]}}'
    ).encode()


def _long(payload: bytes) -> bytes:
    return bytes((0x81, 127)) + len(payload).to_bytes(8, "big") + payload


async def main() -> None:
    """Serve until standard input ends."""
    crowd = Crowd()

    def route(request: WSUpgradeRequest) -> Client | WSUpgradeResponseWithListener:
        url = urlsplit(request.path.decode())
        if url.path.startswith("/api/v3/depth"):
            depth = {"lastUpdateId": crowd.tick * IDS_A_TICK, "bids": BIDS, "asks": ASKS}
            body = WSUpgradeResponse.create_ok_response(json.dumps(depth).encode())
            return WSUpgradeResponseWithListener(body, None)
        if url.path.startswith("/api/"):
            empty = b"[]" if "/v3/" in url.path else b'{"code":"0","msg":"","data":[]}'
            return WSUpgradeResponseWithListener(WSUpgradeResponse.create_ok_response(empty), None)
        return Client(crowd, parse_qs(url.query).get("streams", [""])[0].split("/") if url.query else [])

    server = await ws_create_server(route, "127.0.0.1", 0)
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    ticking = asyncio.create_task(crowd.run())
    await asyncio.to_thread(sys.stdin.read)
    ticking.cancel()


if __name__ == "__main__":
    uvloop.run(main())
