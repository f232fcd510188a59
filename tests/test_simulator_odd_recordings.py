"""Recordings that are not as ours are: other orders of keys, codecs and sockets, what cannot be read, and holes."""

import base64
import json
import struct

import msgspec
import pytest

from simulator.capture import CaptureRefused, Event, read_capture
from simulator.recorded.alpaca_frames import points_of
from simulator.recorded.okx_frames import snapshot_after
from simulator.recorded.turns import Turns
from simulator.run import replay
from simulator.venues.okx_listener import ChannelFrame
from tests.simulator_kit import (
    CAPTURES,
    capture,
    dialled,
    fill,
    fills_page,
    get,
    markets_page,
    needs_captures,
    post,
    take,
    trade,
)

BTC = "/stream?streams=btcusdt@trade"


def reordered(event):
    message = json.loads(event["payload"])
    return event | {"payload": json.dumps({"data": message["data"], "stream": message["stream"]})}


async def heard(path, count):
    async with replay([path]) as simulator, dialled(simulator, BTC) as socket:
        return await take(socket, count)


async def test_the_order_of_keys_does_not_matter(tmp_path):
    path = capture(tmp_path / "a.gz", "binance", [reordered(trade("BTCUSDT", 1)), trade("BTCUSDT", 2)])

    assert [1, 2] == [message["data"]["t"] for message in await heard(path, 2)]


@pytest.mark.parametrize(
    "said",
    [
        '{"result":null,"id":1}',
        '{"error":{"code":2,"msg":"Invalid request"},"id":1}',
        '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
        '{"e":"serverShutdown","E":1}',
    ],
)
async def test_what_binance_said_to_the_recorder_alone_is_not_said_again(tmp_path, said):
    path = capture(tmp_path / "a.gz", "binance", [trade("BTCUSDT", 1), {"payload": said}, trade("BTCUSDT", 2)])

    assert [1, 2] == [message["data"]["t"] for message in await heard(path, 2)]


@pytest.mark.parametrize(
    ("venue", "text"), [("binance", '{"stre'), ("okx", "{bad"), ("polymarket", "INVALID OPERATION"), ("alpaca", "no")]
)
async def test_a_frame_that_cannot_be_read_keeps_no_recording_from_being_replayed(tmp_path, venue, text):
    path = capture(tmp_path / "a.gz", venue, [{"payload": text}])

    async with replay([path]) as simulator:
        assert simulator.environment["SIMULATOR_URL"]


def aggregate(symbol, number):
    row = {"e": "aggTrade", "E": 1, "s": symbol, "a": number, "p": "1", "q": "1", "f": 1, "l": 1, "T": 1, "m": True}
    return {"payload": json.dumps({"stream": f"{symbol.lower()}@aggTrade", "data": row})}


async def test_of_trades_recorded_singly_and_in_sums_a_client_hears_what_it_asked_for(tmp_path):
    told = [aggregate("BTCUSDT", 7), trade("BTCUSDT", 1), aggregate("BTCUSDT", 8), trade("BTCUSDT", 2)]
    path = capture(tmp_path / "a.gz", "binance", told)

    assert [1, 2] == [message["data"]["t"] for message in await heard(path, 2)]


async def test_sums_of_trades_are_heard_where_nothing_else_was_recorded(tmp_path):
    path = capture(tmp_path / "a.gz", "binance", [aggregate("BTCUSDT", 7), trade("ETHUSDT", 1)])

    assert [7] == [message["data"]["a"] for message in await heard(path, 1)]


async def test_unreadable_bytes_are_passed_on_as_they_were(tmp_path):
    path = capture(tmp_path / "a.gz", "binance", [{"payload": '{"stre'}, trade("BTCUSDT", 2)])
    async with replay([path]) as simulator, dialled(simulator, BTC) as socket:
        assert '{"stre' == await socket.recv()


@pytest.mark.parametrize("venue", ["goldsky", "polymarket", "polygon", "binance", "okx", "upstox", "alpaca"])
async def test_an_answer_that_is_none_leads_to_nothing(tmp_path, venue):
    answer = {"connection": "http", "url": "https://x/api/v3/depth?symbol=A", "status": 200, "payload": "<html>"}

    async with replay([capture(tmp_path / "a.gz", venue, [answer])]) as simulator:
        assert simulator.environment["SIMULATOR_URL"]


AGG_TRADE = {"a": 5, "p": "1", "q": "2", "f": 1, "l": 1, "T": 1, "m": True}


async def test_a_row_that_is_none_leaves_the_others_of_its_answer(tmp_path):
    url = "https://api.binance.com/api/v3/aggTrades?symbol=BTCUSDT"
    rows = json.dumps([AGG_TRADE | {"a": 4, "p": ""}, AGG_TRADE, {}])
    told = {"connection": "http", "url": url, "status": 200, "payload": rows}

    async with replay([capture(tmp_path / "a.gz", "binance", [told])]) as simulator:
        answer = await get(simulator.environment["BINANCE_REST_URL"] + "/api/v3/aggTrades?symbol=BTCUSDT")

    assert [5] == [row["a"] for row in answer.json()]


async def test_events_of_other_questions_to_the_subgraph_leave_those_of_ours(tmp_path):
    pages = [fills_page(None), fills_page([{"id": "0x1"}, fill(1, 100) | {"fee": None}, fill(2, 100)])]
    query = "{ orderFilledEvents(first: 9) { id timestamp } }"
    async with replay([capture(tmp_path / "a.gz", "goldsky", pages)]) as simulator:
        answer = await post(simulator.environment["GOLDSKY_URL"], {"query": query})

    assert [fill(2, 100)["id"]] == [row["id"] for row in answer.json()["data"]["orderFilledEvents"]]


async def markets_of(path):
    async with replay([path]) as simulator:
        answer = await get(simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets/keyset")
    return [market["id"] for market in answer.json()["markets"]]


async def test_a_market_with_odd_fields_is_given_out_and_so_are_those_behind_it(tmp_path):
    markets = [{"id": "1", "clobTokenIds": None}, {"id": "2", "volumeNum": "5"}, {"slug": "x"}, {"id": "3"}]

    assert ["1", "2", "3"] == await markets_of(capture(tmp_path / "a.gz", "polymarket", [markets_page(markets)]))


async def test_tags_of_a_market_are_no_markets(tmp_path):
    tags = markets_page([{"id": "101", "label": "Sports"}])
    tags["url"] = "https://gamma-api.polymarket.com/markets/1/tags"

    assert ["1"] == await markets_of(capture(tmp_path / "a.gz", "polymarket", [markets_page([{"id": "1"}]), tags]))


def test_recordings_without_any_event_are_refused_by_name(tmp_path):
    with pytest.raises(CaptureRefused, match="there is nothing to replay"):
        replay([capture(tmp_path / "a.gz", "binance", [])])


TRADE = {"T": "t", "S": "AAPL", "i": 52983525029461, "x": "V", "p": 126.55, "s": 1, "t": "2021-02-22T15:51:44.208Z"}


def packed(nanoseconds):
    seconds = 1614009104
    stamp = msgspec.msgpack.Ext(-1, struct.pack(">Q", nanoseconds << 34 | seconds))
    return msgspec.msgpack.encode([TRADE | {"t": stamp}, {"T": "success", "msg": "connected"}])


def test_a_recording_in_msgpack_is_the_same_as_one_in_json():
    (told,) = points_of(packed(208_000_000))

    assert TRADE == json.loads(told.text)
    assert points_of(json.dumps([TRADE]).encode())[0].fact == told.fact


def test_nanoseconds_of_a_recording_in_msgpack_are_kept():
    assert "2021-02-22T15:51:44.208000001Z" == json.loads(points_of(packed(208_000_001))[0].text)["t"]


async def test_a_recording_in_msgpack_names_its_symbols(tmp_path):
    path = capture(
        tmp_path / "a.gz", "alpaca", [{"payload_base64": base64.b64encode(packed(0)).decode(), "payload": None}]
    )
    async with replay([path]) as simulator:
        assert "AAPL" == simulator.environment["ALPACA_STOCKS_SYMBOLS"]


S = 10**9


def told_by(*words):
    """Return what is told of words like `ws1@5`, a socket and a second."""
    turns = Turns()
    events = [Event(int(second) * S, name, "in", "") for name, _, second in (word.partition("@") for word in words)]
    for event in events:
        turns.note(event, "books")
    return [f"{event.connection}@{event.received_ns // S}" for event in events if turns.has(event, "books")]


def test_of_sockets_that_stand_at_one_time_one_is_heard():
    assert ["ws1@1", "ws1@9"] == told_by("ws2@0", "ws1@1", "ws2@8", "ws1@9")


def test_a_socket_that_was_dialled_after_another_had_ended_is_heard_whole():
    assert ["ws2@0", "ws2@9", "ws1@20", "ws1@21"] == told_by("ws2@0", "ws2@9", "ws1@20", "ws1@21")


def test_a_socket_that_outlives_another_is_heard_from_there_on():
    assert ["ws2@0", "ws2@20", "ws1@40"] == told_by("ws2@0", "ws1@10", "ws2@20", "ws1@40")


def test_a_socket_that_outlives_its_twin_by_a_moment_tells_nothing_more():
    assert ["ws1@0", "ws1@20"] == told_by("ws1@0", "ws2@1", "ws1@20", "ws2@21")


def book(action, **row):
    payload = {"arg": {"channel": "books", "instId": "A"}, "action": action, "data": [{"ts": "1", **row}]}
    return ChannelFrame("public", "books", "A", json.dumps(payload).encode(), None)


SNAPSHOT = book("snapshot", bids=[["1", "1", "0", "1"]], asks=[], prevSeqId=-1, seqId=5)


def test_a_book_is_told_anew_after_its_updates():
    told = snapshot_after([SNAPSHOT, book("update", bids=[["2", "1", "0", "1"]], asks=[], prevSeqId=5, seqId=6)])

    assert 2 == len(json.loads(told.payload)["data"][0]["bids"])


def test_a_book_is_not_told_anew_where_the_recorder_missed_an_update():
    assert snapshot_after([SNAPSHOT, book("update", bids=[], asks=[], prevSeqId=8, seqId=9)]) is None
    assert snapshot_after([SNAPSHOT, book("update", bids=[], asks=[], checksum=1)]) is None


@needs_captures
def test_a_recorded_book_with_a_true_checksum_is_told_anew():
    (event,) = read_capture(CAPTURES / "okx-books-snapshot-single-20220812.jsonl.gz").events
    recorded = ChannelFrame("public", "books", "TRX-USD-220812", event.body(), None)

    assert snapshot_after([recorded]) is not None
