"""Polymarket's CLOB as the simulator keeps it: the market channel, the books by REST, recordings and the demo."""

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from simulator.faults import Fault
from simulator.limits import Limits
from simulator.run import demo, replay
from tests.clob_kit import NO, START_MS, YES, book, change, rest_book
from tests.simulator_kit import CAPTURES, capture, get, ground_truth, needs_captures, post

BOOKS = "polymarket-clob-books-20260311-1.jsonl.gz"
TRADES = "polymarket-ws-trades-20260310-1.jsonl.gz"
CONNECTIONS = {"ws1": {"kind": "ws", "url": "wss://ws-subscriptions-clob.polymarket.com/ws/market"}}
CONNECTIONS |= {"http": {"kind": "http"}}
OTHER = "7" * 77


def both(at_ms):
    told = change("0.49", "1", "BUY", at_ms=at_ms)
    told["price_changes"].append(told["price_changes"][0] | {"asset_id": NO, "side": "SELL", "price": "0.51"})
    return told


def answered(*books):
    url = "https://clob.polymarket.com/books"
    return {"connection": "http", "method": "POST", "url": url, "status": 200, "payload": json.dumps(books)}


@pytest.fixture
def session(tmp_path):
    messages = [book(), both(START_MS + 1), book(OTHER), change("0.47", "2", "BUY", at_ms=START_MS + 2)]
    events = [{"payload": json.dumps(message)} for message in messages]
    events += [{"payload": "PONG"}, answered(rest_book(), rest_book(NO)), answered(rest_book(at_ms=START_MS + 9))]
    return capture(tmp_path / "session.gz", "polymarket", events, CONNECTIONS)


@asynccontextmanager
async def listening(simulator, *tokens, **more):
    url = simulator.environment["POLYMARKET_WS_URL"] + "/ws/market"
    more = {"max_size": None, "max_queue": None, "compression": None, "ping_interval": None} | more
    async with connect(url, **more) as socket:
        if tokens:
            await socket.send(json.dumps({"assets_ids": tokens, "type": "market", "custom_feature_enabled": True}))
        yield socket


async def take(socket, count):
    async with asyncio.timeout(20):
        return [json.loads(await socket.recv()) for _ in range(count)]


async def taken(socket, count):
    """Return messages one by one: a frame is an object or an array."""
    messages = []
    while len(messages) < count:
        told = (await take(socket, 1))[0]
        messages += told if isinstance(told, list) else [told]
    return messages


async def test_a_client_gets_only_the_tokens_it_subscribed_to(session):
    async with replay([session]) as simulator, listening(simulator, OTHER) as socket:
        first = (await take(socket, 1))[0]

    assert ("book", OTHER) == (first["event_type"], first["asset_id"])


async def test_one_frame_carries_both_tokens(session):
    async with replay([session]) as simulator, listening(simulator, NO) as socket:
        told = (await take(socket, 1))[0]

    assert [YES, NO] == [level["asset_id"] for level in told["price_changes"]]


async def test_a_token_subscribed_later_catches_up_without_what_it_had(session):
    async with replay([session]) as simulator, listening(simulator, YES) as socket:
        await take(socket, 3)
        await socket.send(json.dumps({"assets_ids": [NO, OTHER], "operation": "subscribe"}))
        late = (await take(socket, 1))[0]

    assert OTHER == late["asset_id"]


async def test_the_text_ping_is_answered_with_the_text_pong(session):
    async with replay([session]) as simulator, listening(simulator, "1") as socket:
        await socket.send("PING")

        assert "PONG" == await asyncio.wait_for(socket.recv(), 10)


async def test_a_client_that_never_subscribes_is_cut_off(session):
    limits = Limits(clob_first_command_s=0.1)
    async with replay([session], limits=limits) as simulator, listening(simulator) as socket:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)


async def test_an_unknown_command_is_called_invalid(session):
    async with replay([session]) as simulator, listening(simulator) as socket:
        await socket.send('{"operation":"dance"}')

        assert "INVALID OPERATION" == await asyncio.wait_for(socket.recv(), 10)


async def test_data_may_freeze_while_the_pong_lives(session):
    async with replay([session]) as simulator:
        simulator.faults.order(Fault(kind="silence", venue="polymarket_clob", match=":", times=None))
        async with listening(simulator, YES) as socket:
            await socket.send("PING")

            assert "PONG" == await asyncio.wait_for(socket.recv(), 10)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.recv(), 0.2)


async def test_one_token_may_never_be_heard_of(session):
    async with replay([session]) as simulator:
        simulator.faults.order(Fault(kind="gap", venue="polymarket_clob", match=f"book:{YES}", times=None))
        async with listening(simulator, YES, OTHER) as socket:
            told = await take(socket, 2)

    assert ["price_change", "book"] == [message["event_type"] for message in told]


async def books_of(simulator, *tokens):
    url = f"{simulator.environment['POLYMARKET_CLOB_URL']}/books"
    return await post(url, [{"token_id": token} for token in tokens])


async def test_books_come_in_recorded_order_without_those_that_are_unknown(session):
    async with replay([session]) as simulator:
        first = (await books_of(simulator, YES, "404", NO)).json()
        second = (await books_of(simulator, YES)).json()

    assert {YES, NO} == {told["asset_id"] for told in first}
    assert [str(START_MS + 9)] == [told["timestamp"] for told in second]


async def test_the_order_of_books_is_not_that_of_the_question():
    async with demo(seed=3) as simulator:
        tokens = await largest(simulator, 6)
        told = [one["asset_id"] for one in (await books_of(simulator, *tokens)).json()]

    assert sorted(tokens) == sorted(told)
    assert tokens != told


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/book?token_id=404", 404, "No orderbook exists for the requested token id"),
        ("/book?token_id=x", 400, "Invalid token id"),
        ("/midpoint?token_id=404", 404, "No orderbook exists for the requested token id"),
    ],
)
async def test_errors_are_the_venues_own(session, path, status, error):
    async with replay([session]) as simulator:
        answer = await get(simulator.environment["POLYMARKET_CLOB_URL"] + path)

    assert (status, error) == (answer.status_code, answer.json()["error"])


async def test_too_many_books_are_refused(session):
    async with replay([session]) as simulator:
        answer = await books_of(simulator, *(str(number) for number in range(501)))

    assert (400, "Payload exceeds the limit") == (answer.status_code, answer.json()["error"])


async def test_a_replay_names_every_recorded_token_and_no_other_venue(session):
    async with replay([session]) as simulator:
        environment = simulator.environment

    assert {YES, NO, OTHER} == set(environment["POLYMARKET_MARKETS"].split(","))
    assert ("true", "false") == (environment["POLYMARKET_CLOB_ENABLED"], environment["POLYMARKET_ENABLED"])


@needs_captures
async def test_recorded_trades_go_over_the_socket_as_they_were():
    async with replay([CAPTURES / TRADES]) as simulator:
        tokens = simulator.environment["POLYMARKET_MARKETS"].split(",")
        async with listening(simulator, *tokens) as socket:
            told = await take(socket, ground_truth(TRADES)["frames"])
        facts = simulator.ledger.facts()["polymarket_clob"]["sent"]

    assert ground_truth(TRADES)["trades"]["count"] == len({one["transaction_hash"] for one in told})
    assert ground_truth(TRADES)["trades"]["assets"] == len(facts)


@needs_captures
async def test_recorded_books_are_answered_to_the_byte():
    async with replay([CAPTURES / BOOKS]) as simulator:
        tokens = simulator.environment["POLYMARKET_MARKETS"].split(",")
        found = {}
        for _ in range(3):
            found |= {(one["asset_id"], one["hash"]): one for one in (await books_of(simulator, *tokens)).json()}

    assert all(told["hash"] == digest(told) for told in found.values())
    assert 20 == len({token for token, _ in found})


def digest(told):
    named = {name: told[name] for name in told if name != "event_type"} | {"hash": ""}
    return hashlib.sha1(json.dumps(named, separators=(",", ":")).encode()).hexdigest()


async def largest(simulator, count):
    url = f"{simulator.environment['POLYMARKET_GAMMA_URL']}/markets"
    markets = (await get(url, order="volumeNum", closed="false", limit=20)).json()
    tokens = [json.loads(one["clobTokenIds"]) for one in markets if "clobTokenIds" in one]
    return [token for pair in tokens for token in pair][:count]


async def test_an_invented_book_follows_from_its_messages():
    async with demo(seed=5) as simulator:
        tokens = await largest(simulator, 6)
        async with listening(simulator, *tokens) as socket:
            books, kinds = {}, set()
            async with asyncio.timeout(30):
                while not {"book", "price_change", "last_trade_price", "best_bid_ask"} <= kinds:
                    for message in await taken(socket, 1):
                        kinds.add(message["event_type"])
                        assert follows(books, message)


def follows(books, message):
    """Apply a message to the books; return whether it agrees with them."""
    match message["event_type"]:
        case "book":
            sides = [{one["price"]: one["size"] for one in message[side]} for side in ("bids", "asks")]
            books[message["asset_id"]] = sides
            is_best_last = list(sides[0]) == sorted(sides[0], key=float)
            return is_best_last and message["hash"] == digest(message)
        case "price_change":
            return all(_follows(books, level) for level in message["price_changes"])
        case "best_bid_ask":
            return _best(books[message["asset_id"]]) == (message["best_bid"], message["best_ask"])
        case _:
            return True


def _follows(books, level):
    if level["asset_id"] not in books:
        return True
    bids, asks = books[level["asset_id"]]
    side = bids if level["side"] == "BUY" else asks
    side[level["price"]] = level["size"]
    if level["size"] == "0":
        del side[level["price"]]
    return _best((bids, asks)) == (level["best_bid"], level["best_ask"])


def _best(sides):
    return max(sides[0], key=float), min(sides[1], key=float)


async def test_more_than_five_hundred_tokens_get_no_first_books():
    async with demo(limits=Limits(clob_snapshot_assets=3)) as simulator:
        tokens = await largest(simulator, 6)
        async with listening(simulator, *tokens) as socket:
            first = (await take(socket, 1))[0]

    assert isinstance(first, dict)


async def test_the_venues_own_client_reads_the_simulator(monkeypatch):
    client = pytest.importorskip("py_clob_client.client", reason="py-clob-client is not installed")
    types = pytest.importorskip("py_clob_client.clob_types")
    helpers = pytest.importorskip("py_clob_client.http_helpers.helpers")
    async with demo() as simulator:
        tokens = await largest(simulator, 2)
        clob = client.ClobClient(simulator.environment["POLYMARKET_CLOB_URL"])
        params = [types.BookParams(token_id=token) for token in tokens]
        with helpers.httpx.Client() as http:  # theirs is one for the whole process, and never closed
            monkeypatch.setattr(helpers, "_http_client", http)
            books = await asyncio.to_thread(clob.get_order_books, params)
            middle = await asyncio.to_thread(clob.get_midpoint, tokens[0])
            single = await asyncio.to_thread(clob.get_order_book, tokens[0])

    assert set(tokens) == {told.asset_id for told in books}
    assert 0 < float(middle["mid"]) < 1
    for told in (*books, single):
        assert told.hash == clob.get_order_book_hash(told)
