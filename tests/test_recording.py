"""What is recorded of a venue replays to the same rows."""

import shutil

import pytest
import zstandard

from common.streams import RECORDING
from ingesters.feed import Dial, Fetch, Frame, Send
from ingesters.tape import Shelf, Tape
from simulator.capture import read_capture
from tests.fleet_harness import Fleet, wait_for
from tests.ingest_kit import records

START_NS = 1_760_000_000_000_000_000
MEBIBYTE = 2**20


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "okx_ingester", "okx", 1000 * MEBIBYTE, ("s3cret",))


def recorded(shelf):
    return [read_capture(file) for file in sorted(shelf.folder.glob("*.zst"))]


def test_frames_come_back_with_their_socket_and_time(shelf):
    tape = Tape(shelf)
    tape.dialled(Dial("wss://ws.okx.com:8443/ws/v5/public", "public"))
    tape.switch(is_on=True)
    tape.heard([Frame(START_NS, b'{"a":1}', "public"), Frame(START_NS + 5, b"\xff\x00", "public")], {})
    tape.flush()

    (capture,) = recorded(shelf)
    assert [(START_NS, b'{"a":1}'), (START_NS + 5, b"\xff\x00")] == [
        (event.received_ns, event.body()) for event in capture.events
    ]
    assert {"wss://ws.okx.com:8443/ws/v5/public"} == {capture.address(event) for event in capture.events}


def test_an_answer_comes_back_with_its_question(shelf):
    tape = Tape(shelf)
    tape.switch(is_on=True)
    fetch = Fetch("books", "https://www.okx.com/api/v5/market/books?instId=BTC-USDT")
    tape.heard([Frame(START_NS, b"{}", reply_to="books")], {"books": fetch})
    tape.flush()

    (event,) = recorded(shelf)[0].events
    assert (fetch.url, "GET", 200, b"{}") == (event.url, event.method, event.status, event.body())


def test_no_secret_and_no_private_answer_reaches_the_disk(shelf):
    tape = Tape(shelf)
    tape.dialled(Dial("wss://stream.test/?key=s3cret"))
    tape.switch(is_on=True)
    tape.sent(Send(b'{"action":"auth","key":"s3cret"}'))
    token = Fetch("token", "https://token.test/", is_private=True)
    tape.heard([Frame(START_NS, b"t0ken", reply_to="token")], {"token": token})
    tape.flush()

    (file,) = shelf.folder.glob("*.zst")
    text = zstandard.ZstdDecompressor().stream_reader(file.read_bytes(), read_across_frames=True).read()
    assert b'{\\"action\\":\\"auth\\",\\"key\\":\\"***\\"}' in text
    assert b"s3cret" not in text
    assert b"t0ken" not in text


def test_a_socket_that_is_dialled_later_is_named_by_the_next_file(shelf):
    tape = Tape(shelf)
    tape.dialled(Dial("wss://one.test", "one"))
    tape.switch(is_on=True)
    tape.heard([Frame(START_NS, b"1", "one")], {})
    tape.dialled(Dial("wss://two.test", "two"))
    tape.heard([Frame(START_NS + 1, b"2", "two"), Frame(START_NS + 2, b"3", "one")], {})
    tape.flush()

    first, second = recorded(shelf)
    assert [["wss://one.test"], ["wss://two.test", "wss://one.test"]] == [
        [capture.address(event) for event in capture.events] for capture in (first, second)
    ]


def test_a_recorder_that_was_killed_leaves_a_file_that_can_be_read(shelf):
    tape = Tape(shelf)
    tape.dialled(Dial("wss://one.test"))
    tape.switch(is_on=True)
    for number in range(3):
        tape.heard([Frame(START_NS + number, b"%d" % number)], {})
        tape.flush()

    assert [b"0", b"1", b"2"] == [event.body() for event in recorded(shelf)[0].events]


def test_the_oldest_recordings_make_room(tmp_path):
    shelf = Shelf(tmp_path, "okx", 64 * MEBIBYTE + 3, ())
    for number in range(3):
        (tmp_path / f"okx-{number}.jsonl.zst").write_bytes(b"12")
    tape = Tape(shelf)
    tape.switch(is_on=True)
    tape.dialled(Dial("wss://one.test"))
    tape.heard([Frame(START_NS, b"1")], {})
    tape.flush()

    assert ["okx-1760000000000000000.jsonl.zst", "okx-2.jsonl.zst"] == sorted(file.name for file in tmp_path.iterdir())


@pytest.mark.redis
@pytest.mark.timeout(120)
def test_what_was_recorded_replays_to_the_same_records(tmp_path):
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    (tmp_path / "live").mkdir()
    (tmp_path / "again").mkdir()
    with Fleet(tmp_path / "live") as live:
        live.start_redis()
        live.redis.sadd(RECORDING, "binance_ingester")
        live.start_simulator("--demo")
        live.start_program("binance_ingester")
        wait_for(lambda: len(records(live, "trades")) > 300, what="trades")
        live.end("binance_ingester")
        before = records(live, "trades")
    files = sorted((tmp_path / "live" / "recordings" / "binance_ingester").glob("*.zst"))
    with Fleet(tmp_path / "again") as again:
        again.start_redis()
        again.start_simulator("--replay", *map(str, files), "--speed", "max")
        again.start_program("binance_ingester")
        taped = {(trade.symbol, trade.trade_id) for trade in before}
        wait_for(lambda: taped <= {(one.symbol, one.trade_id) for one in records(again, "trades")}, what="replay")
        after = {(trade.symbol, trade.trade_id): trade for trade in records(again, "trades")}

    told = ("price", "size", "event_ns", "taker_side")
    assert [[getattr(trade, name) for name in told] for trade in before] == [
        [getattr(after[trade.symbol, trade.trade_id], name) for name in told] for trade in before
    ]
