"""What the tests of Upstox share: frames, answers, a feed that has connected, a client of the simulated venue."""

import asyncio
import json
from contextlib import asynccontextmanager

import requests
from pydantic import SecretStr
from websockets.asyncio.client import connect

from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.upstox import UpstoxFeed
from tests.simulator_kit import get

STOCK, OPTION, INDEX = "NSE_EQ|INE000A00001", "NSE_FO|50001", "NSE_INDEX|Nifty 50"
S, MS, MINUTE, HOUR = 10**9, 10**6, 60 * 10**9, 3600 * 10**9
DAY_NS = 24 * HOUR
OPENING_NS = 1_723_175_100 * S  # Friday 2024-08-09, 09:15 in India
PLACE = {"data": {"authorized_redirect_uri": "wss://feeds.test/feeds?code=abc"}}


def status_frame(at_ns, **segments):
    info = pb.MarketInfo(segmentStatus={name: pb.MarketStatus.Value(word) for name, word in segments.items()})
    response = pb.FeedResponse(type=pb.market_info, currentTs=at_ns // MS, marketInfo=info)
    return Frame(at_ns, response.SerializeToString())


def tick_frame(at_ns, price=100.5, traded_ns=None, **markets):
    """Return a frame of stocks; without a name it is STOCK's, else the volumes by instrument are given."""
    feeds = {}
    for symbol, volume in (markets or {STOCK: 1000}).items():
        ltpc = pb.LTPC(ltp=price, ltt=(at_ns if traded_ns is None else traded_ns) // MS, ltq=1, cp=99.5)
        full = pb.FullFeed(marketFF=pb.MarketFullFeed(ltpc=ltpc, vtt=volume))
        feeds[symbol] = pb.Feed(fullFeed=full, requestMode=pb.full_d5)
    return Frame(at_ns, pb.FeedResponse(type=pb.live_feed, feeds=feeds, currentTs=at_ns // MS).SerializeToString())


def reply(key, body, at_ns=OPENING_NS, status=200):
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Frame(at_ns, payload, reply_to=key, status=status)


def wake(key, at_ns):
    return Frame(at_ns, b"", "ours", reply_to=key)


class Talk:
    """A feed and what it has said, in order."""

    def __init__(self, resume=None, **settings):
        settings = {"upstox_access_token": SecretStr("secret"), "upstox_instrument_keys": (STOCK,)} | settings
        self.feed = UpstoxFeed(Settings(**settings), resume or Resume())
        self.opened = list(self.feed.opening())

    def hear(self, *frames):
        return [step for frame in frames for step in hear(self.feed, frame)]

    def connected(self, at_ns=OPENING_NS):
        self.hear(reply("authorize", PLACE, at_ns))
        return self

    def look(self, at_ns):
        """Return what it says of the time, without the wish to be asked again."""
        return self.hear(wake("look", at_ns))[:-1]


def named(kind, steps):
    return [step for step in steps if type(step).__name__ == kind]


def fields(message):
    response = pb.FeedResponse.FromString(message)
    return pb.Type.Name(response.type), sorted(response.feeds), response


async def token(simulator):
    return (await get(simulator.environment["UPSTOX_TOKEN_URL"])).json()["access_token"]


async def asked(simulator, path, bearer=None, **more):
    bearer = await token(simulator) if bearer is None else bearer
    url = simulator.environment["UPSTOX_API_URL"] + path
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
    return await asyncio.to_thread(requests.get, url, headers=headers, timeout=10, allow_redirects=False, **more)


async def place(simulator):
    answer = await asked(simulator, "/v3/feed/market-data-feed/authorize")
    return answer.json()["data"]["authorized_redirect_uri"]


@asynccontextmanager
async def connected(simulator):
    async with connect(await place(simulator), max_size=None, max_queue=None, compression=None) as socket:
        yield socket


def request(keys, method="sub", mode="full"):
    return json.dumps({"guid": "g", "method": method, "data": {"mode": mode, "instrumentKeys": keys}}).encode()


async def take(socket, count):
    async with asyncio.timeout(20):
        return [await socket.recv() for _ in range(count)]
