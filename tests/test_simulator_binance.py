"""Binance's protocol as the simulator keeps it: sockets, commands, limits, weights, errors."""

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from simulator.limits import Limits
from simulator.run import replay
from tests.simulator_kit import asked, capture, depth_answer, dialled, get, take, trade, trade_ids

TICKER = json.dumps({"stream": "!ticker@arr", "data": [{"e": "24hrTicker", "s": "AAA"}]})
PARTIAL = json.dumps({"stream": "aaa@depth5", "data": {"lastUpdateId": 1, "bids": [], "asks": []}})


@pytest.fixture
def session(tmp_path):
    events = [trade("AAA", 1), trade("BBB", 1), trade("AAA", 2), {"payload": TICKER}, trade("BBB", 2), trade("AAA", 3)]
    return capture(tmp_path / "session.gz", "binance", events)


async def test_a_client_gets_only_the_symbols_it_subscribed_to(session):
    async with replay([session]) as simulator, dialled(simulator, "/stream?streams=bbb@aggTrade") as socket:
        first, ticker, second = await take(socket, 3)

    assert [("BBB", 1), ("BBB", 2)] == [(message["data"]["s"], message["data"]["t"]) for message in (first, second)]
    assert "!ticker@arr" == ticker["stream"]


async def test_a_raw_connection_gets_the_bare_payload(session):
    async with replay([session]) as simulator, dialled(simulator, "/ws/bbb@trade") as socket:
        first = (await take(socket, 1))[0]

    assert ("trade", "BBB", 1) == (first["e"], first["s"], first["t"])


async def test_a_recording_of_raw_frames_is_wrapped_for_combined_connections(tmp_path):
    bare = json.dumps(json.loads(trade("AAA", 7)["payload"])["data"])
    path = capture(tmp_path / "raw.gz", "binance", [{"payload": bare}, {"payload": PARTIAL}])
    async with replay([path]) as simulator, dialled(simulator, "/stream?streams=aaa@trade") as socket:
        wrapped, partial = await take(socket, 2)

    assert {"stream": "aaa@trade", "data": json.loads(bare)} == wrapped
    assert "aaa@depth5" == partial["stream"]


async def test_every_connection_gets_the_session_from_its_beginning(session):
    async with replay([session]) as simulator:
        for _ in range(2):
            async with dialled(simulator, "/ws/aaa@trade") as socket:
                assert [1, 2] == trade_ids(await take(socket, 2))


async def test_a_symbol_subscribed_later_catches_up_first(session):
    async with replay([session]) as simulator, dialled(simulator, "/ws/aaa@trade") as socket:
        await take(socket, 4)
        answer = await asked(socket, {"method": "SUBSCRIBE", "params": ["bbb@trade"], "id": 9})
        late = await take(socket, 2)

    assert {"result": None, "id": 9} == answer
    assert [("BBB", 1), ("BBB", 2)] == [(message["s"], message["t"]) for message in late]


async def test_the_socket_stays_open_after_the_last_frame(session):
    async with replay([session]) as simulator, dialled(simulator, "/ws/aaa@trade") as socket:
        await take(socket, 4)

        assert {"result": ["aaa@trade"], "id": "x"} == await asked(socket, {"method": "LIST_SUBSCRIPTIONS", "id": "x"})


async def test_frames_come_at_their_recorded_distance(tmp_path):
    events = [trade("AAA", n, received_ns=10**18 + n * 200_000_000) for n in range(4)]
    path = capture(tmp_path / "paced.gz", "binance", events)
    loop = asyncio.get_running_loop()
    async with replay([path], speed=2.0) as simulator, dialled(simulator, "/ws/aaa@trade") as socket:
        started_s = loop.time()
        await take(socket, 4)
        elapsed_s = loop.time() - started_s
        async with dialled(simulator, "/ws/aaa@trade") as late:
            started_s = loop.time()
            await take(late, 4)
            caught_up_s = loop.time() - started_s

    assert elapsed_s > 0.25
    assert caught_up_s < elapsed_s


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ({"method": "SUBSCRIBE", "params": ["zzz@trade"], "id": 1}, {"result": None, "id": 1}),
        ({"method": "UNSUBSCRIBE", "params": ["zzz@trade"], "id": None}, {"result": None, "id": None}),
        ({"method": "SET_PROPERTY", "params": ["combined", True], "id": 5}, {"result": None, "id": 5}),
        ({"method": "GET_PROPERTY", "params": ["combined"], "id": 2}, {"result": False, "id": 2}),
        ({"method": "SET_PROPERTY", "params": ["color", 1], "id": 3}, {"code": 0, "msg": "Unknown property", "id": 3}),
    ],
)
async def test_commands_are_answered_by_their_id(session, command, answer):
    async with replay([session]) as simulator, dialled(simulator, "/ws") as socket:
        assert answer == await asked(socket, command)


async def test_errors_have_the_three_documented_shapes(session):
    async with replay([session]) as simulator, dialled(simulator, "/ws") as socket:
        variant = await asked(socket, {"method": "DANCE", "id": 1})
        not_json = await asked(socket, "{nonsense")

    assert (2, 1) == (variant["code"], variant["id"])
    assert variant["msg"].startswith("Invalid request: unknown variant `DANCE`, expected one of")
    assert (3, "Invalid JSON: ") == (not_json["code"], not_json["msg"][:14])


@pytest.mark.parametrize("name", ["AAA@trade", "ccc@trade"])
async def test_an_unknown_or_upper_case_stream_is_acknowledged_and_silent(tmp_path, name):
    path = capture(tmp_path / "a.gz", "binance", [trade("AAA", 1)])
    async with replay([path]) as simulator, dialled(simulator, "/ws") as socket:
        await asked(socket, {"method": "SUBSCRIBE", "params": [name], "id": 1})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.2)


async def test_set_property_switches_to_combined_frames(session):
    async with replay([session]) as simulator, dialled(simulator, "/ws") as socket:
        await asked(socket, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 1})
        await socket.send('{"method":"SUBSCRIBE","params":["bbb@trade"],"id":2}')
        messages = await take(socket, 4)

    assert "bbb@trade" in [message.get("stream") for message in messages]


async def test_more_than_five_messages_a_second_cut_the_connection(session):
    async with replay([session]) as simulator, dialled(simulator, "/ws") as socket:
        for number in range(6):
            await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        with pytest.raises(ConnectionClosed) as caught:
            await take(socket, 7)

    assert 1008 == caught.value.rcvd.code


async def test_client_pings_count_as_messages(session):
    async with replay([session]) as simulator, dialled(simulator, "/ws") as socket:
        for _ in range(6):
            await socket.ping()
        with pytest.raises(ConnectionClosed):
            await take(socket, 1)


async def test_a_server_ping_carries_a_payload_and_an_answer_keeps_the_connection(session):
    limits = Limits(ping_every_s=0.25, pong_within_s=0.3)
    async with replay([session], limits=limits) as simulator, dialled(simulator, "/ws", ping_interval=None) as socket:
        pings = []
        process = socket.protocol.recv_frame
        socket.protocol.recv_frame = lambda frame: (pings.append(frame), process(frame))
        await asyncio.sleep(1.0)

        assert {"result": [], "id": 1} == await asked(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
        assert all(frame.opcode is Opcode.PING and frame.data.isdigit() for frame in pings[:2])


async def test_an_unanswered_ping_cuts_the_connection(session):
    limits = Limits(ping_every_s=0.05, pong_within_s=0.2)
    async with replay([session], limits=limits) as simulator, dialled(simulator, "/ws", ping_interval=None) as socket:
        receive = socket.protocol.recv_frame

        def deaf(frame: Frame):
            if frame.opcode is not Opcode.PING:
                receive(frame)

        socket.protocol.recv_frame = deaf
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 15)


async def test_too_many_streams_close_the_connection(session):
    names = [f"s{n}@trade" for n in range(1025)]
    async with replay([session]) as simulator, dialled(simulator, "/ws") as socket:
        await socket.send(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
        with pytest.raises(ConnectionClosed):
            await take(socket, 9)


async def test_too_many_connection_attempts_are_refused(session):
    async with replay([session], limits=Limits(connects_per_5min=1)) as simulator:
        async with dialled(simulator, "/ws"):
            pass
        with pytest.raises(InvalidStatus) as caught:
            async with dialled(simulator, "/ws"):
                pass

    assert 429 == caught.value.response.status_code


@pytest.mark.parametrize(("path", "is_combined"), [("/ws/aaa@trade", False), ("/stream?streams=aaa@trade", True)])
async def test_old_age_is_announced_before_the_close(session, path, is_combined):
    limits = Limits(connection_lifetime_s=0.2)
    async with replay([session], limits=limits) as simulator, dialled(simulator, path) as socket:
        notice = (await take(socket, 5))[-1]
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 15)

    assert "serverShutdown" == (notice["data"] if is_combined else notice)["e"]
    assert notice.get("stream", "!serverShutdown") == "!serverShutdown"


async def rest(simulator, path, **query):
    return await get(f"{simulator.environment['BINANCE_REST_URL']}/api/v3/{path}", **query)


async def test_a_snapshot_costs_its_documented_weight(tmp_path):
    path = capture(tmp_path / "a.gz", "binance", [trade("AAA", 1), depth_answer("AAA", 5)])
    async with replay([path]) as simulator:
        used = [await rest(simulator, "depth", symbol="AAA", limit=limit) for limit in (100, 500, 1000, 5000)]

    assert ["5", "30", "80", "330"] == [answer.headers["X-MBX-USED-WEIGHT-1M"] for answer in used]
    assert [5] * 4 == [answer.json()["lastUpdateId"] for answer in used]


async def test_snapshots_come_in_recorded_order_and_anew_for_a_new_listener(tmp_path):
    events = [depth_answer("AAA", 5), trade("AAA", 1), depth_answer("AAA", 9)]
    async with replay([capture(tmp_path / "a.gz", "binance", events)]) as simulator:
        first = [(await rest(simulator, "depth", symbol="AAA")).json()["lastUpdateId"] for _ in range(3)]
        async with dialled(simulator, "/ws/aaa@trade") as socket:
            await take(socket, 1)
            again = (await rest(simulator, "depth", symbol="AAA")).json()["lastUpdateId"]

    assert ([5, 9, 9], 5) == (first, again)


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("depth", {"symbol": "NOPE"}, -1121),
        ("depth", {}, -1102),
        ("depth", {"symbol": "aaa!"}, -1100),
        ("depth", {"symbol": "AAA", "limit": "many"}, -1100),
        ("depth", {"symbol": "AAA", "limit": "0"}, -1130),
        ("historicalTrades", {"symbol": "NOPE"}, -1121),
    ],
)
async def test_wrong_questions_get_the_venues_error_codes(session, path, query, code):
    async with replay([session]) as simulator:
        answer = await rest(simulator, path, **query)

    assert (400, code) == (answer.status_code, answer.json()["code"])


async def test_going_on_after_429_ends_in_418(session):
    limits = Limits(weight_per_min=50, requests_after_429=2)
    async with replay([session], limits=limits) as simulator:
        answers = [await rest(simulator, "historicalTrades", symbol="AAA") for _ in range(6)]

    assert [200, 200, 429, 429, 418, 418] == [answer.status_code for answer in answers]
    assert {-1003} == {answer.json()["code"] for answer in answers[2:]}
    assert all(0 < int(answer.headers["Retry-After"]) <= 120 for answer in answers[2:])


async def test_streamed_trades_can_be_refilled_by_id(session):
    async with replay([session]) as simulator:
        before = (await rest(simulator, "historicalTrades", symbol="AAA", fromId=1)).json()
        async with dialled(simulator, "/ws/aaa@trade") as socket:
            await take(socket, 4)
        after = (await rest(simulator, "historicalTrades", symbol="AAA", fromId=2)).json()

    assert [] == before
    assert [2, 3] == [row["id"] for row in after]
    assert {"id": 2, "price": "10.50000000", "qty": "2.00000000", "quoteQty": "21.00000000"}.items() <= after[0].items()


def test_limits_are_those_of_the_documentation():
    limits = Limits()

    assert (20, 60, 5) == (limits.ping_every_s, limits.pong_within_s, limits.inbound_per_s)
    assert (1024, 300, 6000) == (limits.streams_per_connection, limits.connects_per_5min, limits.weight_per_min)
