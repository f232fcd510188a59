"""The published recordings through the venues' own protocols: every figure of the ground truth is reached."""

import gzip
import json
from decimal import Decimal

import pytest

from simulator.run import replay
from tests.simulator_kit import CAPTURES, dialled, get, ground_truth, needs_captures, post, take

pytestmark = needs_captures
BTCUSDT = "binance-btcusdt-20240808.jsonl.gz"
TEN = "binance-ten-symbols-20210405.jsonl.gz"
XRPETH = "binance-rest-aggtrades-xrpeth-20191011.jsonl.gz"
GAMMA = ("polymarket-gamma-markets-20260311-1.jsonl.gz", "polymarket-gamma-btc5m-closed-20260608.jsonl.gz")
FILLS = "goldsky-orderfilled-derived-1.jsonl.gz"
OR_KEYSET = """query P($ts: BigInt!, $id: ID!, $n: Int!) {
  _meta { block { number hash timestamp } hasIndexingErrors deployment }
  orderFilledEvents(first: $n, orderBy: timestamp, orderDirection: asc,
    where: { or: [ {timestamp_gt: $ts}, {timestamp: $ts, id_gt: $id} ] }) {
    id transactionHash timestamp orderHash maker taker
    makerAssetId takerAssetId makerAmountFilled takerAmountFilled fee } }"""


def recorded_texts(name):
    with gzip.open(CAPTURES / name, "rt") as lines:
        events = [json.loads(line) for line in lines][1:]
    return [event["payload"] for event in events if event["connection"] == "ws1"]


async def test_every_recorded_frame_arrives_unchanged_and_in_order():
    recorded = recorded_texts(BTCUSDT)
    async with replay([CAPTURES / BTCUSDT]) as simulator, dialled(simulator, "/stream?streams=btcusdt@trade") as socket:
        received = [await socket.recv() for _ in recorded]

    assert recorded == received


async def test_the_ledger_of_a_replay_agrees_with_the_ground_truth():
    truth = ground_truth(BTCUSDT)
    async with replay([CAPTURES / BTCUSDT]) as simulator, dialled(simulator, "/ws/btcusdt@trade") as socket:
        for _ in range(truth["events"]["ws1 in"]):
            await socket.recv()
        sent = simulator.ledger.facts()["binance"]["sent"]["BTCUSDT"]

    expected = truth["symbols"]["BTCUSDT"]["trades"]
    names = ("distinct", "sum_qty", "sum_price_x_qty", "taker_buy_qty", "first_id", "last_id")
    assert {name: expected[name] for name in names} == {name: sent["trade"][name] for name in names}
    assert [] == sent["trade"]["holes"]
    assert truth["messages"]["ws1 depthUpdate"] == sent["depthUpdate"]["distinct"]
    assert truth["messages"]["ws1 bookTicker"] == sent["bookTicker"]["messages"]


async def test_ten_books_can_be_rebuilt_from_frames_and_snapshots():
    truth = ground_truth(TEN)
    async with replay([CAPTURES / TEN]) as simulator:
        symbols = simulator.environment["BINANCE_SYMBOLS"].split(",")
        streams = "/".join(f"{symbol.lower()}@trade" for symbol in symbols)
        async with dialled(simulator, f"/stream?streams={streams}") as socket:
            messages = await take(socket, truth["events"]["ws1 in"])
        depths = {s: await get(simulator.environment["BINANCE_REST_URL"] + "/api/v3/depth", symbol=s) for s in symbols}

    assert sorted(truth["symbols"]) == symbols
    for symbol, facts in truth["symbols"].items():
        snapshot = depths[symbol].json()
        diffs = [m["data"] for m in messages if m["data"]["s"] == symbol and m["data"].get("e") == "depthUpdate"]
        applied = [diff for diff in diffs if diff["u"] > snapshot["lastUpdateId"]]
        assert facts["book"]["snapshot"][0] == snapshot["lastUpdateId"]
        assert facts["book"]["applied"] == len(applied)
        assert facts["book"]["last_update_id"] == applied[-1]["u"]


async def test_recorded_pages_are_one_list_by_id():
    truth = ground_truth(XRPETH)["symbols"]["XRPETH"]["trades"]
    async with replay([CAPTURES / XRPETH]) as simulator:
        rows, from_id = [], truth["first_id"]
        while page := (await _agg_trades(simulator, from_id)).json():
            rows += page
            from_id = page[-1]["a"] + 1

    assert list(range(truth["first_id"], truth["last_id"] + 1)) == [row["a"] for row in rows]
    assert Decimal(truth["sum_qty"]) == sum(Decimal(row["q"]) for row in rows)


async def _agg_trades(simulator, from_id):
    url = simulator.environment["BINANCE_REST_URL"] + "/api/v3/aggTrades"
    return await get(url, symbol="XRPETH", fromId=from_id, limit=1000)


async def test_single_recorded_answers_are_given_to_the_question_they_answered():
    names = ("binance-rest-singles-2020.jsonl.gz", "binance-singles-2021.jsonl.gz")
    async with replay([CAPTURES / name for name in names]) as simulator:
        base = simulator.environment["BINANCE_REST_URL"] + "/api/v3/"
        bars = (await get(base + "klines", symbol="BTCUSDT", interval="5m", limit=24)).json()
        price = (await get(base + "ticker/price", symbol="BTCUSDT")).json()
        unknown = await get(base + "ticker/price", symbol="NOPE")

    assert 1586987400000 == bars[0][0]
    assert {"price": "6622.57000000", "symbol": "BTCUSDT"} == price
    assert (400, -1121) == (unknown.status_code, unknown.json()["code"])
    assert {"BTCUSDT", "ETHUSDT", "ETHBTC", "DOGEUSDT"} == set(simulator.environment["BINANCE_SYMBOLS"].split(","))


async def test_all_markets_of_two_recordings_come_through_the_keyset():
    truth = [ground_truth(name)["gamma"] for name in GAMMA]
    async with replay([CAPTURES / name for name in GAMMA]) as simulator:
        url = simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets/keyset"
        markets, query = [], {"limit": 500}
        while True:
            page = (await get(url, **query)).json()
            markets += page["markets"]
            if "next_cursor" not in page:
                break
            query["after_cursor"] = page["next_cursor"]

    assert sum(facts["distinct_markets"] for facts in truth) == len({market["id"] for market in markets})
    assert sum(facts["neg_risk"] for facts in truth) == sum(market["negRisk"] for market in markets)
    assert sum(Decimal(facts["sum_volume"]) for facts in truth) == sum(Decimal(m.get("volume", 0)) for m in markets)


@pytest.mark.parametrize("page_size", [1000, 250])
async def test_the_keyset_walk_finds_every_recorded_fill(page_size):
    truth = ground_truth(FILLS)
    async with replay([CAPTURES / FILLS]) as simulator:
        url, seen, cursor = simulator.environment["GOLDSKY_URL"], {}, {"ts": "0", "id": ""}
        while True:
            body = {"query": OR_KEYSET, "variables": cursor | {"n": page_size}}
            page = (await post(url, body)).json()["data"]["orderFilledEvents"]
            seen |= {event["id"]: event for event in page}
            if len(page) < page_size:
                break
            cursor = {"ts": page[-1]["timestamp"], "id": page[-1]["id"]}
        standing = simulator.ledger.facts()["goldsky"]["standing"]

    assert truth["events"] == len(seen)
    assert {role: truth[role] for role in ("taker_order", "maker_fill")} == standing
