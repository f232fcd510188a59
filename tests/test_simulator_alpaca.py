"""Alpaca's protocol as the simulator keeps it: signing in, subscriptions, errors, codecs, pages."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import msgspec
import pytest
import requests
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from simulator.faults import Fault
from simulator.limits import Limits
from simulator.run import demo, replay
from simulator.venues.alpaca_listener import KEY, SECRET
from simulator.venues.alpaca_messages import time_ns, time_text
from tests.simulator_kit import CAPTURES, capture, ground_truth, needs_captures

AUTH = {"action": "auth", "key": KEY, "secret": SECRET}
WS = {"ws1": {"kind": "ws", "url": "wss://stream.data.alpaca.markets/v2/sip"}}
TWO_STOCKS = "alpaca-aig-bac-20131007.jsonl.gz"
PAGES = "alpaca-rest-samples-2018-2025.jsonl.gz"


def trade(number, symbol="AAA", at="2024-08-08T15:00:00.5Z"):
    return {"T": "t", "S": symbol, "i": number, "x": "V", "p": 10.5, "s": 2, "c": ["@"], "z": "C", "t": at}


def frame(*messages):
    return {"payload": json.dumps(messages)}


@pytest.fixture
def session(tmp_path):
    said = [{"T": "success", "msg": "connected"}], [{"T": "success", "msg": "authenticated"}]
    events = [*(frame(*one) for one in said), frame(trade(1), trade(1, "BBB")), frame(trade(2)), frame(trade(3))]
    return capture(tmp_path / "session.gz", "alpaca", events, WS)


@asynccontextmanager
async def dialled(simulator, path="/v2/sip", **more):
    async with connect(simulator.environment["ALPACA_WS_URL"] + path, max_size=None, **more) as socket:
        yield socket


async def said(socket):
    """Return the next array."""
    return json.loads(await asyncio.wait_for(socket.recv(), 15))


async def ask(socket, command):
    await socket.send(json.dumps(command))
    return await said(socket)


@asynccontextmanager
async def signed_in(simulator, path="/v2/sip", **more):
    async with dialled(simulator, path, **more) as socket:
        assert [{"T": "success", "msg": "connected"}] == await said(socket)
        assert [{"T": "success", "msg": "authenticated"}] == await ask(socket, AUTH)
        yield socket


async def numbers(socket, count):
    """Return the ids of so many trades."""
    found = []
    while len(found) < count:
        found += [message["i"] for message in await said(socket) if message["T"] == "t"]
    return found


async def test_a_client_gets_what_it_subscribed_to_and_nothing_else(session):
    async with replay([session]) as simulator, signed_in(simulator) as socket:
        await ask(socket, {"action": "subscribe", "trades": ["AAA"]})

        assert [[("AAA", 1)], [("AAA", 2)], [("AAA", 3)]] == [
            [(message["S"], message["i"]) for message in await said(socket)] for _ in range(3)
        ]


async def test_a_symbol_subscribed_to_later_catches_up(session):
    async with replay([session]) as simulator, signed_in(simulator) as socket:
        await ask(socket, {"action": "subscribe", "trades": ["AAA"]})
        await numbers(socket, 3)
        await ask(socket, {"action": "subscribe", "trades": ["BBB"]})

        assert [1] == await numbers(socket, 1)


async def test_every_connection_gets_the_session_from_its_beginning(session):
    async with replay([session]) as simulator:
        for _ in range(2):
            async with signed_in(simulator) as socket:
                await ask(socket, {"action": "subscribe", "trades": ["*"]})
                assert [1, 1, 2, 3] == await numbers(socket, 4)


async def test_an_acknowledgement_is_the_whole_list_and_what_follows_from_it(session):
    async with replay([session]) as simulator, signed_in(simulator) as socket:
        await ask(socket, {"action": "subscribe", "bars": ["AAA"]})
        await ask(socket, {"action": "subscribe", "trades": ["ZZZ"]})
        answer = (await ask(socket, {"action": "unsubscribe", "bars": ["AAA"]}))[0]

    assert "T" == next(iter(answer))
    assert ([], ["ZZZ"], ["ZZZ"], ["ZZZ"]) == tuple(
        answer[name] for name in ("bars", "trades", "corrections", "cancelErrors")
    )


async def test_the_test_stream_has_fewer_channels(session):
    async with replay([session]) as simulator, signed_in(simulator, "/v2/test") as socket:
        answer = (await ask(socket, {"action": "subscribe", "quotes": ["FAKEPACA"]}))[0]

    assert {"T", "trades", "quotes", "bars"} == set(answer)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"action": "auth", "key": KEY, "secret": SECRET}, 403),
        ({"action": "dance"}, 400),
        ({"action": "subscribe"}, 400),
        ({"action": "subscribe", "trades": ["no such"]}, 400),
        ({"action": "subscribe", "orderbooks": ["AAA"]}, 410),
        ({"action": "subscribe", "corrections": ["AAA"]}, 410),
    ],
)
async def test_wrong_commands_get_their_codes(session, command, code):
    async with replay([session]) as simulator, signed_in(simulator) as socket:
        assert code == (await ask(socket, command))[0]["code"]


async def test_nothing_is_given_to_strangers(session):
    async with replay([session]) as simulator, dialled(simulator) as socket:
        await said(socket)
        early = await ask(socket, {"action": "subscribe", "trades": ["AAA"]})
        wrong = await ask(socket, {**AUTH, "secret": "guess"})

    assert (401, 402) == (early[0]["code"], wrong[0]["code"])


async def test_who_does_not_sign_in_is_shown_out(session):
    async with replay([session], limits=Limits(alpaca_auth_s=0.1)) as simulator, dialled(simulator) as socket:
        await said(socket)
        error = await said(socket)
        with pytest.raises(ConnectionClosed):
            await said(socket)

    assert {"T": "error", "code": 404, "msg": "auth timeout"} == error[0]


async def test_keys_may_come_with_the_handshake(session):
    headers = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    async with replay([session]) as simulator, dialled(simulator, additional_headers=headers) as socket:
        assert ["connected", "authenticated"] == [(await said(socket))[0]["msg"] for _ in range(2)]


async def test_a_second_session_is_refused_and_let_in_once_the_first_has_gone(session):
    async with replay([session]) as simulator, dialled(simulator) as second:
        await said(second)
        async with signed_in(simulator):
            refused = await ask(second, AUTH)
            async with signed_in(simulator, "/v2/iex"):  # another stream is another session
                pass
        for _ in range(50):
            answer = await ask(second, AUTH)
            if "code" not in answer[0]:
                break
            await asyncio.sleep(0.02)

    assert {"T": "error", "code": 406, "msg": "connection limit exceeded"} == refused[0]
    assert "authenticated" == answer[0]["msg"]


async def test_more_symbols_than_the_plan_has_leave_the_list_as_it_was(session):
    limits = Limits(alpaca_symbols=2)
    async with replay([session], limits=limits) as simulator, signed_in(simulator) as socket:
        await ask(socket, {"action": "subscribe", "trades": ["ZZZ"]})
        error = await ask(socket, {"action": "subscribe", "quotes": ["BBB", "CCC"]})
        answer = await ask(socket, {"action": "subscribe", "bars": ["AAA", "BBB", "CCC"]})

    assert 405 == error[0]["code"]
    assert ([], 3) == (answer[0]["quotes"], len(answer[0]["bars"]))


async def test_msgpack_is_spoken_both_ways_when_asked_for(session):
    headers = {"Content-Type": "application/msgpack"}
    async with replay([session]) as simulator, dialled(simulator, additional_headers=headers) as socket:
        greeting = await socket.recv()
        await socket.send(msgspec.msgpack.encode(AUTH))
        await socket.recv()
        await socket.send(msgspec.msgpack.encode({"action": "subscribe", "trades": ["AAA"]}))
        await socket.recv()
        told = msgspec.msgpack.decode(await socket.recv(), ext_hook=lambda _code, data: bytes(data))

    assert b"\x91\x82\xa1T\xa7success" == greeting[:12]  # T is the first key
    assert (1, 10.5) == (told[0]["i"], told[0]["p"])
    assert "2024-08-08 15:00:00.500000+00:00" == str(told[0]["t"])


async def test_a_command_in_fragments_is_understood(session):
    async with replay([session]) as simulator, signed_in(simulator) as socket:
        text = json.dumps({"action": "subscribe", "trades": ["AAA"]})
        await socket.send([text[:20], text[20:30], text[30:]])

        assert ["AAA"] == (await said(socket))[0]["trades"]


async def test_a_fault_strikes_a_channel_and_a_symbol(session):
    async with replay([session]) as simulator, signed_in(simulator) as socket:
        simulator.faults.order(Fault(kind="gap", venue="alpaca", match="trades:AAA", times=1))
        await ask(socket, {"action": "subscribe", "trades": ["AAA"]})

        assert [2, 3] == await numbers(socket, 2)


async def test_a_coins_book_is_told_whole_and_then_its_changes():
    async with demo() as simulator, signed_in(simulator, "/v1beta3/crypto/us") as socket:
        await ask(socket, {"action": "subscribe", "orderbooks": ["BTC/USD"]})
        messages = [message for _ in range(12) for message in await said(socket)]

    sides = {"b": {}, "a": {}}
    for message in messages:
        for name, side in sides.items():
            side.update({level["p"]: level["s"] for level in message[name]})
    best_bid, best_ask = (pick(price for price, size in sides[name].items() if size) for name, pick in BEST)
    assert [True] + [None] * (len(messages) - 1) == [message.get("r") for message in messages]
    assert best_bid < best_ask


BEST = (("b", max), ("a", min))


async def test_a_demo_speaks_on_every_channel_of_stocks():
    async with demo() as simulator, signed_in(simulator, "/v2/iex") as socket:
        names = ("trades", "quotes", "statuses", "lulds", "imbalances")
        await ask(socket, {"action": "subscribe", **{name: ["SPY"] for name in names}})
        heard = set()
        async with asyncio.timeout(30):
            while not {"t", "q", "s", "l", "i"} <= heard:
                heard |= {message["T"] for message in await said(socket)}


async def page(simulator, path="/v2/stocks/trades", keys=True, **query):  # noqa: FBT002  signed, or not
    headers = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET} if keys else {}
    url = simulator.environment["ALPACA_REST_URL"] + path
    return await asyncio.to_thread(requests.get, url, params=query, headers=headers, timeout=15)


async def play(simulator):
    async with signed_in(simulator) as socket:
        await ask(socket, {"action": "subscribe", "trades": ["*"]})
        await numbers(socket, 4)


async def test_pages_go_on_symbol_by_symbol_where_the_token_says(session):
    async with replay([session]) as simulator:
        before = (await page(simulator, symbols="AAA,BBB")).json()
        await play(simulator)
        first = (await page(simulator, symbols="AAA,BBB", limit=2)).json()
        second = (await page(simulator, symbols="AAA,BBB", limit=2, page_token=first["next_page_token"])).json()

    assert {"trades": {}, "next_page_token": None} == before
    assert b"AAA|2024-08-08T15:00:00.5Z|V|09223372036854775810" == base64.b64decode(first["next_page_token"])
    assert [("AAA", 1), ("AAA", 2)] == rows(first)
    assert [("AAA", 3), ("BBB", 1)] == rows(second)
    assert {"T", "S"}.isdisjoint(first["trades"]["AAA"][0])


def rows(body):
    return [(symbol, row["i"]) for symbol, some in body["trades"].items() for row in some]


@pytest.mark.parametrize(
    ("query", "status"),
    [({"limit": 0}, 400), ({"limit": 10_001}, 400), ({"start": "soon"}, 400), ({"page_token": "?"}, 400)],
)
async def test_wrong_questions_are_refused(session, query, status):
    async with replay([session]) as simulator:
        assert status == (await page(simulator, symbols="AAA", **query)).status_code


async def test_questions_are_signed_and_counted(session):
    async with replay([session], limits=Limits(alpaca_per_min=2)) as simulator:
        stranger = await page(simulator, keys=False, symbols="AAA")
        known = [await page(simulator, symbols="AAA") for _ in range(2)]

    assert (403, [200, 429]) == (stranger.status_code, [answer.status_code for answer in known])
    assert ("2", "0") == tuple(known[0].headers[f"X-Ratelimit-{name}"] for name in ("Limit", "Remaining"))


def test_times_are_written_without_the_zeros_at_the_end():
    texts = ["2024-08-08T15:00:00Z", "2024-08-08T15:00:00.5Z", "2024-08-08T15:00:00.000000001Z"]

    assert texts == [time_text(time_ns(text)) for text in texts]


@needs_captures
async def test_a_recorded_session_comes_through_whole():
    truth = ground_truth(TWO_STOCKS)
    async with replay([CAPTURES / TWO_STOCKS]) as simulator, signed_in(simulator) as socket:
        await ask(socket, {"action": "subscribe", "trades": ["AIG", "BAC"], "quotes": ["AIG", "BAC"]})
        counted = {"t": 0, "q": 0}
        expected = {kind: truth["messages"][f"ws1 {kind}"] for kind in counted}
        while counted != expected:
            for message in await said(socket):
                counted[message["T"]] += 1
        answer = (await page(simulator, symbols="AIG", start="2013-10-07T14:59:39.249Z", limit=5)).json()
        environment = simulator.environment

    assert truth["symbols"]["AIG"]["trades"]["last_t"] == answer["trades"]["AIG"][-1]["t"]
    assert ("AIG,BAC", "true", "false", "sip") == tuple(
        environment[f"ALPACA_{name}"] for name in ("STOCKS_SYMBOLS", "STOCKS_ENABLED", "CRYPTO_ENABLED", "STOCKS_FEED")
    )


@needs_captures
async def test_recorded_pages_are_given_out_again():
    async with replay([CAPTURES / PAGES]) as simulator:
        old = (await page(simulator, symbols="A,F", start="2018-01-01T00:00:00Z")).json()
        coins = (await page(simulator, "/v1beta3/crypto/us/trades", symbols="BTC/USD")).json()

    assert ("canceled", 71697353758036) == (old["trades"]["A"][0]["u"], old["trades"]["A"][0]["i"])
    assert [20242430, 20242431, 20242432] == [number for _, number in rows(coins)]
