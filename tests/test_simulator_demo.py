"""The invented world obeys the venues' rules, and the program around it starts and stops as it should."""

import asyncio
import json
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from launch.feeds import PORTS
from launch.ports import free_range
from simulator.demo.fill_texts import Trader, transaction
from simulator.demo.gamma import InventedMarkets
from simulator.demo.world import World
from simulator.faults import Fault
from simulator.fills import EXCHANGES
from simulator.registry import VENUES
from simulator.run import demo
from tests.simulator_kit import dialled, get, post, take

ROOT = Path(__file__).parents[1]
SYMBOLS = ("btcusdt", "ethusdt", "solusdt", "bnbusdt", "xrpusdt")


@pytest.fixture(scope="module")
def markets():
    return InventedMarkets(World(3).chance("markets"))


async def depth(simulator, symbol, limit=5000):
    url = simulator.environment["BINANCE_REST_URL"] + "/api/v3/depth"
    return (await get(url, symbol=symbol.upper(), limit=limit)).json()


class Follower:
    """Keeps one book by the documented rules."""

    def __init__(self, snapshot):
        self.last = snapshot["lastUpdateId"]
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        self.unknown_deletes = 0

    def apply(self, diff):
        if diff["u"] <= self.last:
            return
        assert diff["U"] <= self.last + 1 <= diff["u"]
        self.last = diff["u"]
        for name, side in self.sides.items():
            for price, size in diff[name]:
                if float(size):
                    side[price] = size
                else:
                    self.unknown_deletes += side.pop(price, None) is None

    def best(self):
        bid, ask = max(self.sides["b"], key=float), min(self.sides["a"], key=float)
        return bid, self.sides["b"][bid], ask, self.sides["a"][ask]


async def test_books_follow_the_sequence_and_agree_with_the_quotes():
    streams = "/".join(f"{symbol}@{kind}" for symbol in SYMBOLS for kind in ("depth@100ms", "bookTicker"))
    async with demo() as simulator, dialled(simulator, f"/stream?streams={streams}") as socket:
        await take(socket, 100)
        snapshots = {symbol: await depth(simulator, symbol) for symbol in SYMBOLS if symbol != "ethusdt"}
        messages = await take(socket, 700)

    followers = {symbol: Follower(snapshot) for symbol, snapshot in snapshots.items()}
    quotes, compared = {}, 0
    for message in messages:
        symbol, data = message["stream"].partition("@")[0], message["data"]
        if symbol not in followers:
            continue
        if "e" not in data:
            quotes[symbol] = data
            continue
        assert data["b"] or data["a"]
        followers[symbol].apply(data)
        quote = quotes.get(symbol, {})
        if quote.get("u") == data["u"] == followers[symbol].last:
            compared += 1
            assert (quote["b"], quote["B"], quote["a"], quote["A"]) == followers[symbol].best()
        bid, _, ask, _ = followers[symbol].best()
        assert float(bid) < float(ask)
    assert compared > 2
    assert sum(follower.unknown_deletes for follower in followers.values()) > 3


async def test_a_snapshot_can_lag_lie_at_a_boundary_or_be_straddled():
    streams = "/".join(f"{symbol}@depth@100ms" for symbol in SYMBOLS)
    async with demo() as simulator, dialled(simulator, f"/stream?streams={streams}") as socket:
        before = await take(socket, 30)
        stale, boundary, straddled = [
            (await depth(simulator, symbol, 10))["lastUpdateId"] for symbol in ("ethusdt", "solusdt", "btcusdt")
        ]
        after = await take(socket, 30)

    diffs = defaultdict(list)
    for message in before + after:
        diffs[message["data"]["s"]].append(message["data"])
    assert stale < diffs["ETHUSDT"][0]["U"] - 1
    assert boundary in [diff["u"] for diff in diffs["SOLUSDT"]]
    assert any(diff["U"] <= straddled < diff["u"] for diff in diffs["BTCUSDT"])


async def test_trade_ids_are_contiguous_over_stream_and_rest():
    async with demo() as simulator, dialled(simulator, "/ws/btcusdt@trade") as socket:
        streamed = [message["t"] for message in await take(socket, 50)]
        url = simulator.environment["BINANCE_REST_URL"] + "/api/v3/historicalTrades"
        rows = (await get(url, symbol="BTCUSDT", fromId=streamed[0] - 500, limit=550)).json()

    assert list(range(streamed[0], streamed[0] + 50)) == streamed
    assert list(range(streamed[0] - 500, streamed[0] + 50)) == [row["id"] for row in rows]


async def test_every_stream_of_the_documentation_speaks():
    kinds = ("trade", "aggTrade", "bookTicker", "depth", "depth@100ms", "depth5@100ms", "depth20", "kline_1m")
    wanted = {f"btcusdt@{kind}" for kind in (*kinds, "ticker", "miniTicker")}
    heard = set()
    async with demo() as simulator, dialled(simulator, f"/stream?streams={'/'.join(sorted(wanted))}") as socket:
        async with asyncio.timeout(30):
            while heard != wanted:
                heard.add((await take(socket, 1))[0]["stream"])


async def test_the_other_endpoints_answer():
    paths = ("klines", "exchangeInfo", "ticker/24hr", "ticker/bookTicker", "ticker/price", "avgPrice", "aggTrades")
    async with demo() as simulator:
        base = simulator.environment["BINANCE_REST_URL"] + "/api/v3/"
        answers = {path: await get(base + path, symbol="XRPUSDT", interval="1m") for path in paths}

    assert {200} == {answer.status_code for answer in answers.values()}
    assert 12 == len(answers["klines"].json()[0])
    assert "0.00010000" == answers["exchangeInfo"].json()["symbols"][0]["filters"][0]["tickSize"]


async def test_the_venues_clock_can_be_ahead_and_behind():
    async with demo() as simulator, dialled(simulator, "/ws/btcusdt@trade") as socket:
        offsets = []
        for delay_s in (30, -30):
            fault = simulator.faults.order(Fault(kind="clock_offset", venue="binance", delay_s=delay_s))
            newest = (await take(socket, 40))[-1]["E"] / 1000
            offsets.append(round((newest - time.time()) / 30))
            simulator.faults.clear(fault.number)

    assert [1, -1] == offsets


def test_a_transaction_is_maker_fills_and_one_taker_order(markets):
    chance = World(1).chance("test")
    trader = Trader(chance, 50)
    fan_outs, kinds, exchanges, equal = Counter(), Counter(), set(), 0
    for _ in range(2000):
        market = markets.traded(chance)
        *makers, taker = transaction(trader, market, 1_700_000_000)
        fan_outs[len(makers)] += 1
        assert taker["taker"] in EXCHANGES
        assert {taker["maker"]} == {maker["taker"] for maker in makers}
        assert shares(taker) == sum(shares(maker) for maker in makers)
        exchanges.add(taker["taker"])
        kinds |= Counter(match_type(maker, taker) for maker in makers)
        kinds["fee"] += taker["fee"] != "0"
        equal += any(same(one, other) for one in makers for other in makers if one is not other)

    assert {1, 2, 3, 4, 5} == set(fan_outs)
    assert {"complementary", "mint", "merge", "fee"} == {kind for kind, count in kinds.items() if count}
    assert (2, True) == (len(exchanges), equal > 10)


def shares(event):
    return int(event["takerAmountFilled"] if event["makerAssetId"] == "0" else event["makerAmountFilled"])


def match_type(maker, taker):
    if (maker["makerAssetId"] == "0") != (taker["makerAssetId"] == "0"):
        return "complementary"
    return "mint" if maker["makerAssetId"] == "0" else "merge"


def same(one, other):
    return {n: v for n, v in one.items() if n not in ("id", "orderHash")} == {
        n: v for n, v in other.items() if n not in ("id", "orderHash")
    }


async def test_history_holds_a_second_larger_than_a_page_and_a_token_nobody_knows():
    query = '{ orderFilledEvents(first: 1000, orderBy: timestamp, where: {timestamp: "%s"}) { id } }'
    async with demo(seed=2) as simulator:
        facts = simulator.ledger.facts(ids=True)
        fills = simulator._venues["goldsky"].fills
        seconds = Counter(fill["timestamp"] for fill in fills.between(0, 2**40))
        second, events = seconds.most_common(1)[0]
        page = (await post(simulator.environment["GOLDSKY_URL"], {"query": query % second})).json()
        tokens = {fill["makerAssetId"] for fill in fills.between(0, 2**40)}
        listed = [row["clobTokenIds"] for row in await all_markets(simulator) if "clobTokenIds" in row]
        listed += [json.dumps(row["positionIds"]) for row in await all_markets(simulator) if "positionIds" in row]

    known = {token for texts in listed for token in json.loads(texts)}
    assert events > 1000 == len(page["data"]["orderFilledEvents"])
    assert len(facts["goldsky"]["event_ids"]) > 2000
    assert tokens - known - {"0"}


async def all_markets(simulator):
    url, rows, query = simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets/keyset", [], {"limit": 500}
    while True:
        page = (await get(url, **query)).json()
        rows += page["markets"]
        if "next_cursor" not in page:
            return rows
        query["after_cursor"] = page["next_cursor"]


async def test_the_program_tells_where_it_listens_and_leaves_quietly(tmp_path):
    addresses = tmp_path / "addresses.json"
    command = [sys.executable, "-m", "simulator", "--demo", "--seed", "4", "--addresses", str(addresses)]
    program = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    ready = await asyncio.wait_for(program.stdout.readline(), 30)
    environment = json.loads(addresses.read_text())
    ledger = (await get(environment["SIMULATOR_URL"] + "/_ledger")).json()
    hanging = asyncio.create_task(get(environment["BINANCE_REST_URL"] + "/api/v3/ping"))
    program.send_signal(signal.SIGTERM)
    await asyncio.wait_for(program.communicate(), 20)
    await asyncio.gather(hanging, return_exceptions=True)

    assert ready.startswith(b"simulator.listening http://127.0.0.1:")
    assert 0 == program.returncode
    assert {*(entry.name for entry in VENUES), "faults"} == set(ledger)
    assert ",".join(SYMBOLS).upper() == environment["BINANCE_SYMBOLS"]


async def test_given_ports_are_used_again_by_the_next_run():
    base = free_range(PORTS)
    addresses = []
    for simulator in (demo(), demo()):
        await simulator.start(base)
        addresses.append({name: value for name, value in simulator.environment.items() if "://" in value})
        await simulator.stop()

    assert addresses[0] == addresses[1]
    assert f"http://127.0.0.1:{base}" == addresses[0]["SIMULATOR_URL"]
