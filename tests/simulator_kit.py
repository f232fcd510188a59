"""What the simulator's tests share: small recordings, real clients, and the published recordings if they are here."""

import asyncio
import gzip
import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import requests
from websockets.asyncio.client import connect

CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures"
GOLDSKY_URL = "https://api.goldsky.com/api/public/p/subgraphs/orderbook-subgraph/0.0.1/gn"

needs_captures = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason="the published recordings (../shared/captures) are not on this machine"
)


def ground_truth(name):
    return json.loads((CAPTURES / "ground_truth.json").read_text())["files"][name]


def capture(path, venue, events, connections=None, **changes):
    """Write a recording: events are dicts; what is not given in one is filled in."""
    connections = connections or {"ws1": {"kind": "ws", "url": "wss://x/stream"}, "http": {"kind": "http"}}
    filled = [{"received_ns": 10**18 + i, "connection": "ws1", "direction": "in"} | e for i, e in enumerate(events)]
    started_ns = filled[0]["received_ns"] if filled else 10**18
    header = {"format": "capture/1", "venue": venue, "started_ns": started_ns, "frames": len(filled)}
    lines = [header | {"connections": connections} | changes, *filled]
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    return path


def trade(symbol, trade_id, **more):
    data = {"e": "trade", "E": 1, "s": symbol, "t": trade_id, "p": "10.50000000", "q": "2.00000000", "T": 1, "m": True}
    return {"payload": json.dumps({"stream": f"{symbol.lower()}@trade", "data": data})} | more


def depth_answer(symbol, last_update_id):
    url = f"https://api.binance.com/api/v3/depth?symbol={symbol}&limit=1000"
    body = json.dumps({"lastUpdateId": last_update_id, "bids": [["10.1", "1"]], "asks": [["10.2", "1"]]})
    return {"connection": "http", "method": "GET", "url": url, "status": 200, "payload": body}


def fill(number, second, **changes):
    event = {
        "id": f"0x{number:064x}_0x{number:064x}",
        "transactionHash": f"0x{number:064x}",
        "timestamp": str(second),
        "orderHash": f"0x{number:064x}",
        "maker": "0x" + "a" * 40,
        "taker": "0x" + "b" * 40,
        "makerAssetId": "0",
        "takerAssetId": "7580",
        "makerAmountFilled": "500000",
        "takerAmountFilled": "1000000",
        "fee": "0",
    }
    return event | changes


def fills_page(fills, **more):
    body = json.dumps({"data": {"orderFilledEvents": fills}})
    return {
        "connection": "http",
        "method": "POST",
        "url": GOLDSKY_URL,
        "status": 200,
        "payload": body,
    } | more


def markets_page(markets):
    url = "https://gamma-api.polymarket.com/markets?limit=25"
    return {"connection": "http", "method": "GET", "url": url, "status": 200, "payload": json.dumps(markets)}


async def get(url, **query):
    return await asyncio.to_thread(requests.get, url, params=query, timeout=10)


async def post(url, body):
    return await asyncio.to_thread(requests.post, url, json=body, timeout=10)


@asynccontextmanager
async def dialled(simulator, path, **more):
    # A bounded queue would stop this client from reading, and it would not see the answer to its close.
    more = {"max_size": None, "max_queue": None, "compression": None} | more
    async with connect(simulator.environment["BINANCE_WS_URL"] + path, **more) as socket:
        yield socket


async def take(socket, count):
    async with asyncio.timeout(20):
        return [json.loads(await socket.recv()) for _ in range(count)]


async def asked(socket, command):
    """Send a command and return its answer, whatever is streamed before it."""
    await socket.send(command if isinstance(command, str) else json.dumps(command))
    while True:
        message = json.loads(await asyncio.wait_for(socket.recv(), 10))
        if "id" in message:
            return message


def trade_ids(messages):
    return [(message.get("data") or message)["t"] for message in messages]
