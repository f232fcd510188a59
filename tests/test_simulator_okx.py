"""OKX's protocol as the simulator keeps it: two sockets, commands, keep-alive, books, REST, limits, faults."""

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from common.clock import now_ns
from simulator.demo.okx import INSTRUMENTS, Exchange
from simulator.demo.okx_pair import Pair
from simulator.faults import Fault
from simulator.limits import Limits
from simulator.run import replay
from simulator.server import Simulator, shell_of
from simulator.venues.okx import Okx
from simulator.venues.okx_rest import ANSWERS_A_WINDOW
from tests.ingest_kit import events, records, redis_of_module, running, until
from tests.okx_kit import book, push, trade
from tests.simulator_kit import capture, get

__all__ = ["redis_of_module"]
PUBLIC, BUSINESS = "/ws/v5/public", "/ws/v5/business"
CONNECTIONS = {
    "ws-public": {"kind": "ws", "url": f"wss://ws.okx.com{PUBLIC}"},
    "ws-business": {"kind": "ws", "url": f"wss://ws.okx.com{BUSINESS}"},
    "http": {"kind": "http"},
}
BTC, ETH = "BTC-USDT", "ETH-USDT"


def demo(limits=None):
    """Return a simulator of this venue alone in its invented world."""
    shell = shell_of(limits)
    return Simulator({"okx": Okx(Exchange(Random(1), shell.clock("okx")), shell)}, shell)


@asynccontextmanager
async def dialled(simulator, path=PUBLIC):
    more = {"max_size": None, "max_queue": None, "compression": None, "ping_interval": None}
    async with connect(simulator.environment["OKX_WS_URL"] + path, **more) as socket:
        yield socket


def command(op, *args, **more):
    return json.dumps({"op": op, "args": [{"channel": channel, "instId": symbol} for channel, symbol in args]} | more)


async def heard(socket, count=1):
    async with asyncio.timeout(20):
        return [json.loads(await socket.recv()) for _ in range(count)]


async def heard_until(socket, wanted):
    """Return the first message that is wanted, whatever comes before it."""
    async with asyncio.timeout(20):
        while True:
            message = json.loads(await socket.recv())
            if wanted(message):
                return message


def of(channel):
    return lambda message: message.get("arg", {}).get("channel") == channel and "data" in message


async def rest(simulator, name, **query):
    return await get(f"{simulator.environment['OKX_API_BASE_URL']}/api/v5/{name}", **query)


@pytest.fixture
def session(tmp_path):
    told = [
        book((-1, 10), bids=[("9", "1"), ("8", "2")], asks=[("10", "1")]),
        trade(1, count=1),
        book((10, 15), bids=[("9", "0")]),
        trade(7, count=1, symbol=ETH),
        trade(3, count=2),
    ]
    frames = [{"connection": "ws-public", "payload": payload.decode()} for payload in told]
    return capture(tmp_path / "session.gz", "okx", frames, CONNECTIONS)


async def test_ping_is_answered_by_pong_in_text(session):
    async with replay([session]) as simulator, dialled(simulator) as socket:
        await socket.send("ping")

        assert "pong" == await asyncio.wait_for(socket.recv(), 10)


async def test_every_argument_is_acknowledged_by_itself(session):
    async with replay([session]) as simulator, dialled(simulator) as socket:
        await socket.send(command("subscribe", ("books", BTC), ("trades", BTC), id="7"))
        acks = [one for one in await heard(socket, 6) if "event" in one]

    assert [("7", "subscribe", "books"), ("7", "subscribe", "trades")] == [
        (ack["id"], ack["event"], ack["arg"]["channel"]) for ack in acks
    ]


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        (PUBLIC, command("subscribe", ("books", "NOPE-USDT")), "60018"),
        (PUBLIC, command("subscribe", ("trades-all", BTC)), "60018"),
        (PUBLIC, command("subscribe", ("candle1m", BTC)), "60018"),
        (BUSINESS, command("subscribe", ("books", BTC)), "60018"),
        (PUBLIC, command("subscribe", ("books-l2-tbt", BTC)), "60011"),
        (PUBLIC, command("dance", ("books", BTC)), "60012"),
        (PUBLIC, command("subscribe"), "60013"),
        (PUBLIC, '{"op":"ping"}', "60012"),
        (PUBLIC, "{nonsense", "60012"),
    ],
)
async def test_errors_have_the_venues_codes_and_leave_the_socket_open(path, text, code):
    async with demo() as simulator, dialled(simulator, path) as socket:
        await socket.send(text)
        (error,) = await heard(socket)
        await socket.send("ping")

        assert ("error", code) == (error["event"], error["code"])
        assert "pong" == await asyncio.wait_for(socket.recv(), 10)


async def test_more_commands_than_an_hour_holds_are_refused():
    limits = Limits(okx_operations_per_hour=2)
    async with demo(limits=limits) as simulator, dialled(simulator) as socket:
        for _ in range(3):
            await socket.send(command("unsubscribe", ("books", BTC)))

        assert "60014" == (await heard(socket, 3))[-1]["code"]


async def test_an_idle_connection_is_closed_with_4004():
    async with demo(limits=Limits(okx_idle_s=0.2)) as simulator, dialled(simulator) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 10)

    assert (4004, "No data received in 0.2s.") == (closed.value.rcvd.code, closed.value.rcvd.reason)


async def test_a_fourth_connection_in_a_second_is_refused():
    limits = Limits(okx_connects_per_s=1)
    async with demo(limits=limits) as simulator, dialled(simulator), dialled(simulator) as second:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(second.recv(), 10)


async def test_a_recording_is_told_by_instrument_with_its_own_bytes(session):
    async with replay([session]) as simulator, dialled(simulator) as socket:
        await socket.send(command("subscribe", ("trades-all", BTC)))
        told = [one for one in await heard(socket, 5) if "data" in one]

    assert [BTC] * 4 == [one["arg"]["instId"] for one in told]
    assert [10, 15] == [one["data"][0]["seqId"] for one in told if "action" in one]


async def test_a_book_subscribed_again_begins_with_what_it_is_by_then(session):
    async with replay([session]) as simulator, dialled(simulator) as socket:
        await socket.send(command("subscribe", ("books", BTC)))
        await heard(socket, 5)
        await socket.send(command("unsubscribe", ("books", BTC)))
        await socket.send(command("subscribe", ("books", BTC)))
        snapshot = await heard_until(socket, lambda one: one.get("action") == "snapshot")

    assert (-1, 15) == (snapshot["data"][0]["prevSeqId"], snapshot["data"][0]["seqId"])
    assert [["8", "2", "0", "1"]] == snapshot["data"][0]["bids"]


async def test_of_several_recorded_sockets_one_is_told(tmp_path):
    connections = {f"ws{n}": {"kind": "ws", "url": f"wss://ws.okex.com:8443{PUBLIC}"} for n in (1, 2)}
    frames = [{"connection": f"ws{n}", "payload": trade(5, count=n).decode()} for n in (2, 1)]
    path = capture(tmp_path / "two.gz", "okx", frames, connections)
    async with replay([path]) as simulator, dialled(simulator) as socket:
        await socket.send(command("subscribe", ("trades", BTC)))
        told = await heard_until(socket, of("trades"))

    assert "1" == told["data"][0]["count"]
    assert 1 == simulator.ledger.facts()["okx"]["published"][BTC]["trades"]["messages"]


async def test_a_book_subscribed_again_is_that_of_its_channel(tmp_path):
    other = push("books-elp", {"asks": [], "bids": [], "ts": "1"}, action="snapshot")
    told = [book((-1, 10), bids=[("9", "1")]), other]
    frames = [{"connection": "ws-public", "payload": payload.decode()} for payload in told]
    path = capture(tmp_path / "two.gz", "okx", frames, CONNECTIONS)
    async with replay([path]) as simulator, dialled(simulator) as socket:
        await socket.send(command("subscribe", ("books", BTC)))
        await heard(socket, 3)
        await socket.send(command("subscribe", ("books", BTC)))
        again = await heard_until(socket, lambda one: one.get("action") == "snapshot")

    assert ("books", 10) == (again["arg"]["channel"], again["data"][0]["seqId"])


async def test_of_trades_recorded_singly_and_in_sums_a_client_hears_what_it_asked_for(tmp_path):
    connections = {name: {"kind": "ws", "url": f"wss://ws.okx.com{PUBLIC}"} for name in ("pub", "biz")}
    frames = [{"connection": "pub", "payload": trade(number, count=2).decode()} for number in (2, 4)]
    frames += [{"connection": "biz", "payload": trade(number).decode()} for number in (1, 2, 3, 4)]
    path = capture(tmp_path / "two.gz", "okx", frames, connections)
    async with replay([path]) as simulator, dialled(simulator) as socket:
        await socket.send(command("subscribe", ("trades-all", BTC)))
        told = [one["data"][0]["tradeId"] for one in await heard(socket, 5) if "data" in one]

    assert ["1", "2", "3", "4"] == told


async def test_sessions_of_different_times_are_all_told_whatever_their_sockets_were_called(tmp_path):
    day_ns, paths = 86_400 * 10**9, []
    for number, name in enumerate(("ws1", "ws-public")):
        connections = {name: {"kind": "ws", "url": f"wss://ws.okx.com{PUBLIC}"}}
        frame = {
            "connection": name,
            "payload": trade(number, count=1).decode(),
            "received_ns": 10**18 + number * day_ns,
        }
        paths.append(capture(tmp_path / f"{name}.gz", "okx", [frame], connections))
    async with replay(paths) as simulator, dialled(simulator) as socket:
        await socket.send(command("subscribe", ("trades", BTC)))
        told = [(await heard_until(socket, of("trades")))["data"][0]["tradeId"] for _ in paths]

    assert ["0", "1"] == told


async def test_played_trades_can_be_asked_for_and_what_was_not_recorded_is_refused(session):
    async with replay([session]) as simulator, dialled(simulator) as socket:
        before = (await rest(simulator, "market/history-trades", instId=BTC)).json()
        await socket.send(command("subscribe", ("trades", BTC)))
        await heard(socket, 5)
        await until(lambda: simulator.ledger.facts()["okx"]["sent"][BTC]["trades"]["messages"], 2)
        after = (await rest(simulator, "market/history-trades", instId=BTC, after=3)).json()
        full = (await rest(simulator, "market/books-full", instId=BTC)).json()

    assert [] == before["data"]
    assert ["1"] == [row["tradeId"] for row in after["data"]]
    assert "51001" == full["code"]


class Follower:
    """Keeps one book by the documented rules."""

    def __init__(self):
        self.last, self.sides = None, {}

    def apply(self, message):
        row = message["data"][0]
        if message["action"] == "snapshot":
            assert -1 == row["prevSeqId"]
            self.sides = {"asks": {}, "bids": {}}
        else:
            assert self.last == row["prevSeqId"]
        self.last = row["seqId"]
        for name, side in self.sides.items():
            for price, size, _, orders in row[name]:
                side[float(price)] = size
                if size == "0":
                    assert "0" == orders
                    del side[float(price)]
            assert len(side) <= 400

    def best(self):
        bid, ask = max(self.sides["bids"]), min(self.sides["asks"])
        return bid, self.sides["bids"][bid], ask, self.sides["asks"][ask]


async def test_demo_books_obey_their_sequence_and_agree_with_the_best_bid_and_ask():
    follower, compared, maintained = Follower(), 0, 0
    tops = {}
    async with demo() as simulator, dialled(simulator) as socket:
        await socket.send(command("subscribe", ("books", BTC), ("bbo-tbt", BTC)))
        for turn in range(160):
            (message,) = await heard(socket)
            if of("bbo-tbt")(message):
                row = message["data"][0]
                tops[row["seqId"]] = [
                    float(row["bids"][0][0]),
                    row["bids"][0][1],
                    float(row["asks"][0][0]),
                    row["asks"][0][1],
                ]
            elif of("books")(message):
                before = follower.last
                follower.apply(message)
                maintained += before is not None and follower.last < before
                if follower.last in tops:
                    compared += 1
                    assert tops[follower.last] == list(follower.best())
            if turn == 80:
                simulator._venues["okx"]._market._pairs[BTC].begin_numbering_again()

    assert (True, 1) == (compared > 1, maintained)


def test_a_quiet_book_tells_a_sign_of_life_after_a_minute():
    told = []
    pair = Pair(INSTRUMENTS[-1], Random(1), told.append, now_ns)
    pair.flush()
    pair._told_ms -= 60_001
    pair.flush()
    row = json.loads(told[-1].payload)["data"][0]

    assert 1 == len(told)
    assert ([], [], row["prevSeqId"]) == (row["asks"], row["bids"], row["seqId"])


async def test_the_most_recent_trade_comes_again_with_every_subscription():
    async with demo() as simulator, dialled(simulator, BUSINESS) as socket:
        first = []
        for _ in range(2):
            await socket.send(command("subscribe", ("trades-all", "OKB-USDT")))
            first.append((await heard_until(socket, of("trades-all")))["data"][0])
            await socket.send(command("unsubscribe", ("trades-all", "OKB-USDT")))

    assert first[0]["tradeId"] == first[1]["tradeId"]
    assert first[0]["ts"] == first[1]["ts"]


async def test_sums_of_matches_cover_the_ids_of_the_single_ones():
    async with demo() as simulator, dialled(simulator) as public, dialled(simulator, BUSINESS) as business:
        await public.send(command("subscribe", ("trades", BTC)))
        await business.send(command("subscribe", ("trades-all", BTC)))
        sums = [(await heard_until(public, of("trades")))["data"][0] for _ in range(30)]
        single = [(await heard_until(business, of("trades-all")))["data"][0] for _ in range(30)]

    ids = [int(row["tradeId"]) for row in single]
    assert list(range(ids[1], ids[1] + 29)) == ids[1:]
    assert all(int(b["tradeId"]) - int(b["count"]) == int(a["tradeId"]) for a, b in pairwise(sums[1:]))
    assert any(row["count"] != "1" for row in sums)


async def test_data_may_come_before_its_acknowledgement():
    async with demo() as simulator, dialled(simulator, BUSINESS) as socket:
        await socket.send(command("subscribe", ("candle1m", BTC)))
        first, second = await heard(socket, 2)

    assert ("data" in first, "event" in second) == (True, True)
    assert 9 == len(first["data"][0])


async def test_rest_books_have_the_shapes_and_defaults_of_the_documentation():
    async with demo() as simulator:
        one = (await rest(simulator, "market/books", instId=BTC)).json()["data"][0]
        most = (await rest(simulator, "market/books", instId=BTC, sz=9999)).json()["data"][0]
        full = (await rest(simulator, "market/books-full", instId=BTC, sz=5000)).json()["data"][0]

    assert ([4], 1, 400) == (sorted({len(level) for level in one["asks"]}), len(one["asks"]), len(most["bids"]))
    assert (5000, 5000, {3}) == (len(full["asks"]), len(full["bids"]), {len(level) for level in full["asks"]})
    assert (True, False) == ("seqId" in one, "seqId" in full)
    assert sorted((float(level[0]) for level in full["bids"]), reverse=True) == [
        float(level[0]) for level in full["bids"]
    ]


async def test_history_is_paged_backwards_by_id():
    async with demo() as simulator:
        newest = (await rest(simulator, "market/history-trades", instId=BTC, limit=5)).json()["data"]
        older = (await rest(simulator, "market/history-trades", instId=BTC, after=newest[-1]["tradeId"])).json()["data"]

    ids = [int(row["tradeId"]) for row in newest + older]
    assert list(range(ids[0], ids[0] - 105, -1)) == ids


async def test_too_many_questions_are_refused_in_both_documented_ways():
    async with demo() as simulator:
        answers = [await rest(simulator, "market/books-full", instId=BTC) for _ in range(12)]

    assert [200] * 10 + [429, 200] == [one.status_code for one in answers]
    assert ["0"] * 10 + ["50011"] * 2 == [one.json()["code"] for one in answers]


async def test_an_unknown_instrument_is_refused_in_words():
    async with demo() as simulator:
        answers = [(await rest(simulator, name, instId="NOPE")).json() for name in ANSWERS_A_WINDOW if "market" in name]

    assert {"51001"} == {answer["code"] for answer in answers}


async def test_a_shutdown_is_announced_by_a_notice():
    async with demo() as simulator, dialled(simulator) as socket:
        await socket.send(command("subscribe", ("books", BTC)))
        await heard(socket, 2)
        simulator.faults.order(Fault(kind="shutdown", venue="okx", delay_s=0.1))
        notice = await heard_until(socket, lambda one: one.get("event") == "notice")
        with pytest.raises(ConnectionClosed):
            await heard(socket, 1000)

    assert "64008" == notice["code"]


def test_limits_are_those_of_the_documentation():
    limits = Limits()

    assert (3, 480, 30) == (limits.okx_connects_per_s, limits.okx_operations_per_hour, limits.okx_idle_s)
    assert (40, 10, 20) == tuple(
        ANSWERS_A_WINDOW[f"market/{name}"] for name in ("books", "books-full", "history-trades")
    )


@pytest.mark.redis
@pytest.mark.parametrize("kind", ["gap", "checksum"])
async def test_a_spoilt_book_is_told_and_comes_back(redis_of_module, kind):
    redis_of_module.redis.flushall()
    async with demo() as simulator, running(redis_of_module, "okx_ingester", simulator.environment):
        await until(lambda: len(records(redis_of_module, "books")) > 20)
        simulator.faults.order(Fault(kind=kind, venue="okx", match=f"books:{BTC}"))
        await until(lambda: [one.symbol for one in events(redis_of_module, "resync")], [BTC])

    gaps = [one for one in events(redis_of_module, "gap") if one.channel == "books"]
    assert [BTC] == [one.symbol for one in gaps]


@pytest.mark.redis
async def test_trades_lost_on_the_wire_and_while_away_are_fetched(redis_of_module):
    redis_of_module.redis.flushall()
    async with demo() as simulator, running(redis_of_module, "okx_ingester", simulator.environment):
        await until(lambda: len(records(redis_of_module, "trades")) > 50)
        simulator.faults.order(Fault(kind="gap", venue="okx", match="trades-all", times=5))
        simulator.faults.order(Fault(kind="duplicate", venue="okx", match="trades-all", skip=20, times=5))
        await until(lambda: len(events(redis_of_module, "backfilled")) > 0)
        simulator.faults.order(Fault(kind="disconnect", venue="okx", match="trades-all"))
        await until(lambda: len(events(redis_of_module, "disconnected")) > 0)
        known = len(events(redis_of_module, "backfilled"))
        await until(lambda: len(events(redis_of_module, "backfilled")) > known)
        await until(lambda: json.loads(redis_of_module.redis.get("state:okx_backfill") or "{}"), {})

    by_symbol = {}
    for one in records(redis_of_module, "trades"):
        by_symbol.setdefault(one.symbol, []).append(int(one.trade_id))
    for ids in by_symbol.values():
        assert list(range(min(ids), max(ids) + 1)) == sorted(ids)


@pytest.mark.redis
async def test_a_firewalls_no_is_waited_out(redis_of_module):
    redis_of_module.redis.flushall()
    async with demo() as simulator, running(redis_of_module, "okx_ingester", simulator.environment):
        await until(lambda: len(records(redis_of_module, "trades")) > 20)
        simulator.faults.order(Fault(kind="status", venue="okx", match="history-trades", status=403, body="<html>"))
        simulator.faults.order(Fault(kind="gap", venue="okx", match=f"trades-all:{BTC}"))
        await until(lambda: [one.symbol for one in events(redis_of_module, "backfilled")], [BTC])

        assert [] == events(redis_of_module, "refused")


async def test_the_official_client_understands_the_simulator():
    market_data = pytest.importorskip("okx.MarketData", reason="python-okx is not installed")
    async with demo() as simulator:
        with market_data.MarketAPI(domain=simulator.environment["OKX_API_BASE_URL"], debug=False) as client:
            ticker = await asyncio.to_thread(client.get_ticker, BTC)
            books = await asyncio.to_thread(client.get_orderbook, BTC, "400")
            history = await asyncio.to_thread(client.get_history_trades, BTC, limit="100")

    assert ("0", BTC) == (ticker["code"], ticker["data"][0]["instId"])
    assert (400, 100) == (len(books["data"][0]["asks"]), len(history["data"]))


async def test_the_official_client_subscribes_at_the_simulator():
    public = pytest.importorskip("okx.websocket.WsPublicAsync", reason="python-okx is not installed")
    told = []
    async with demo() as simulator:
        url = simulator.environment["OKX_WS_URL"] + PUBLIC
        client = public.WsPublicAsync(url=url)
        async with connect(url) as client.websocket:  # its own way of dialling knows TLS only
            consuming = asyncio.create_task(client.consume())
            await client.subscribe([{"channel": "books", "instId": BTC}], told.append)
            await until(lambda: sum('"action":"update"' in text for text in told) > 2)
            consuming.cancel()

    assert ["subscribe", None] == [json.loads(text).get("event") for text in told[:2]]
