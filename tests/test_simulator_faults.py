"""Faults on demand: each does what it says, as often as ordered, and is written down."""

import asyncio
import json

import pytest
import requests
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from simulator.faults import Fault
from simulator.run import replay
from tests.simulator_kit import asked, capture, dialled, get, markets_page, post, take, trade, trade_ids

PATH = "/ws/aaa@trade"


@pytest.fixture
def session(tmp_path):
    events = [trade("AAA", n, received_ns=10**18 + n * 10**6) for n in range(1, 9)]
    return capture(tmp_path / "session.gz", "binance", events)


def order(simulator, kind, **more):
    return simulator.faults.order(Fault(kind=kind, venue="binance", **more))


@pytest.mark.parametrize(
    ("kind", "more", "received"),
    [
        ("gap", {"skip": 2, "times": 3}, [1, 2, 6, 7, 8]),
        ("gap", {"match": "nothing@like"}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ("duplicate", {"skip": 1}, [1, 2, 2, 3, 4, 5, 6, 7, 8]),
        ("reorder", {"skip": 3}, [1, 2, 3, 5, 4, 6, 7, 8]),
        ("slow", {"delay_s": 0.05}, [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
async def test_frames_are_lost_doubled_and_swapped_as_ordered(session, kind, more, received):
    async with replay([session]) as simulator:
        order(simulator, kind, **more)
        async with dialled(simulator, PATH) as socket:
            assert received == trade_ids(await take(socket, len(received)))


async def test_the_ledger_knows_what_a_gap_swallowed(session):
    async with replay([session]) as simulator:
        order(simulator, "gap", skip=2, times=3)
        async with dialled(simulator, PATH) as socket:
            await take(socket, 5)
        facts = simulator.ledger.facts()

    assert [[3, 5]] == facts["binance"]["sent"]["AAA"]["trade"]["holes"]
    assert 8 == facts["binance"]["published"]["AAA"]["trade"]["distinct"]
    assert ["gap"] * 3 == [executed["kind"] for executed in facts["faults"]]


async def test_what_a_second_connection_gets_closes_the_hole_in_the_ledger(session):
    async with replay([session]) as simulator:
        order(simulator, "gap", times=None, connection=1)
        async with dialled(simulator, PATH) as first, dialled(simulator, PATH) as second:
            await take(second, 8)
            await asked(first, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
        sent = simulator.ledger.facts()["binance"]["sent"]["AAA"]["trade"]

    assert (8, 8, []) == (sent["messages"], sent["distinct"], sent["holes"])


async def test_garbage_comes_in_front_of_a_frame_and_loses_nothing(session):
    async with replay([session]) as simulator:
        order(simulator, "garbage")
        async with dialled(simulator, PATH) as socket:
            with pytest.raises(json.JSONDecodeError):
                json.loads(await socket.recv())
            assert [1, 2] == trade_ids(await take(socket, 2))


async def test_a_truncated_frame_is_half_of_its_text(session):
    async with replay([session]) as simulator:
        order(simulator, "truncated")
        async with dialled(simulator, PATH) as socket:
            text = await socket.recv()

    whole = json.dumps(json.loads(trade("AAA", 1)["payload"])["data"])
    assert whole[: len(whole) // 2] == text


async def test_a_disconnect_breaks_in_the_middle_of_a_burst_without_a_close(session):
    async with replay([session]) as simulator:
        order(simulator, "disconnect", skip=4)
        async with dialled(simulator, PATH) as socket:
            assert [1, 2, 3, 4] == trade_ids(await take(socket, 4))
            with pytest.raises(ConnectionClosedError) as caught:
                await socket.recv()

    assert caught.value.rcvd is None


async def test_a_quiet_connection_is_broken_at_once(session):
    async with replay([session]) as simulator, dialled(simulator, PATH) as socket:
        await take(socket, 8)
        order(simulator, "disconnect")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 15)


async def test_a_shutdown_is_announced(session):
    async with replay([session]) as simulator, dialled(simulator, "/stream?streams=aaa@trade") as socket:
        await take(socket, 8)
        order(simulator, "shutdown", delay_s=0.05, code=1001)
        notice = (await take(socket, 1))[0]
        with pytest.raises(ConnectionClosed) as caught:
            await asyncio.wait_for(socket.recv(), 15)

    assert ("!serverShutdown", "serverShutdown") == (notice["stream"], notice["data"]["e"])
    assert 1001 == caught.value.rcvd.code


async def test_silence_holds_everything_back_while_pings_are_answered(session):
    async with replay([session]) as simulator:
        silence = order(simulator, "silence")
        async with dialled(simulator, PATH) as socket:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.recv(), 0.2)
            await asyncio.wait_for(await socket.ping(), 15)
            simulator.faults.clear(silence.number)
            assert list(range(1, 9)) == trade_ids(await take(socket, 8))


async def test_a_half_open_connection_answers_no_pings_until_the_order_is_cleared(session):
    async with replay([session]) as simulator:
        silence = order(simulator, "silence", answers_pings=False)
        async with dialled(simulator, PATH, ping_interval=None) as socket:
            await asyncio.sleep(0.1)
            pong = await socket.ping()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(pong), 0.2)
            simulator.faults.clear(silence.number)
            await asyncio.wait_for(pong, 15)
            assert list(range(1, 9)) == trade_ids(await take(socket, 8))


async def test_a_handshake_can_be_refused(session):
    async with replay([session]) as simulator:
        order(simulator, "refuse", status=503)
        with pytest.raises(InvalidStatus) as caught:
            async with dialled(simulator, PATH):
                pass
        async with dialled(simulator, PATH) as socket:
            assert [1] == trade_ids(await take(socket, 1))

    assert 503 == caught.value.response.status_code


@pytest.fixture
async def gamma(tmp_path):
    path = capture(tmp_path / "gamma.gz", "polymarket", [markets_page([{"id": str(n)} for n in range(30)])])
    async with replay([path]) as simulator:
        yield simulator


async def ordered(simulator, **fault):
    answer = await post(simulator.environment["SIMULATOR_URL"] + "/_control", {"venue": "polymarket"} | fault)
    assert 200 == answer.status_code, answer.text
    return simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets"


async def test_a_status_is_answered_as_often_as_ordered(gamma):
    url = await ordered(gamma, kind="status", status=429, retry_after_s=7, times=2, body='{"error":"slow down"}')
    answers = [await get(url) for _ in range(3)]

    assert [429, 429, 200] == [answer.status_code for answer in answers]
    assert ("7", {"error": "slow down"}) == (answers[0].headers["Retry-After"], answers[0].json())


async def test_a_fault_hits_only_the_requests_that_match(gamma):
    url = await ordered(gamma, kind="status", status=500, match="offset=20")

    assert [200, 500, 200] == [(await get(url, offset=offset)).status_code for offset in (0, 20, 20)]


async def test_a_truncated_body_is_shorter_than_its_length(gamma):
    url = await ordered(gamma, kind="truncated")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        await get(url)


async def test_a_broken_connection_gives_no_answer(gamma):
    url = await ordered(gamma, kind="disconnect")
    with pytest.raises(requests.exceptions.ConnectionError):
        await get(url)


async def test_a_hanging_answer_leaves_the_ledger_reachable(gamma):
    url = await ordered(gamma, kind="hang", for_s=0.3)
    hanging = asyncio.create_task(get(url))
    await asyncio.sleep(0.05)
    page = (await get(gamma.environment["POLYMARKET_GAMMA_URL"] + "/_ledger")).json()
    with pytest.raises(requests.exceptions.ConnectionError):
        await hanging

    assert ["hang"] == [executed["kind"] for executed in page["faults"]]


@pytest.mark.parametrize("fault", [{"kind": "hang"}, {"kind": "slow", "delay_s": 60}])
async def test_an_answer_under_way_does_not_hold_up_the_end(tmp_path, caplog, fault):
    path = capture(tmp_path / "gamma.gz", "polymarket", [markets_page([{"id": "1"}])])
    async with replay([path]) as simulator:
        waiting = asyncio.create_task(get(await ordered(simulator, **fault)))
        while not simulator.faults.executed:  # noqa: ASYNC110  (the fault board has no event for this)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(15):
            await simulator.stop()
    with pytest.raises(requests.exceptions.ConnectionError):
        await waiting

    assert [] == caplog.records


async def test_garbage_and_slow_answers(gamma):
    url = await ordered(gamma, kind="garbage")
    garbage = await get(url)
    await ordered(gamma, kind="slow", delay_s=0.3)
    slow = await get(url)

    assert (200, "<html>") == (garbage.status_code, garbage.text[:6])
    assert slow.elapsed.total_seconds() > 0.3


async def test_orders_can_be_listed_and_cleared(gamma):
    url = gamma.environment["SIMULATOR_URL"] + "/_control"
    numbers = (
        await post(url, [{"kind": "hang", "venue": "polymarket"}, {"kind": "gap", "venue": "polymarket"}])
    ).json()
    listed = [fault["kind"] for fault in (await get(url)).json()]
    await asyncio.to_thread(requests.delete, url, params={"number": 1}, timeout=5)
    left = [fault["kind"] for fault in (await get(url)).json()]

    assert ({"numbers": [1, 2]}, ["hang", "gap"], ["gap"]) == (numbers, listed, left)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "explode", "venue": "polymarket"}, "Invalid enum value 'explode'"),
        ({"kind": "gap", "venue": "kraken"}, "expected a venue of polymarket, found kraken"),
        ({"kind": "gap", "venue": "polymarket", "tiems": 2}, "unknown field `tiems`"),
    ],
)
async def test_a_mistaken_order_is_refused_with_its_reason(gamma, fault, reason):
    answer = await post(gamma.environment["SIMULATOR_URL"] + "/_control", fault)

    assert 422 == answer.status_code
    assert reason in answer.json()["error"]
