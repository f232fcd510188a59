"""Upstox's protocol as the simulator keeps it: tokens, codes that hold once, silent refusals, frames, candles."""

import asyncio
import base64
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from ingesters.venues import upstox_pb2 as pb
from simulator.faults import Fault
from simulator.run import demo, replay
from tests.simulator_kit import CAPTURES, capture, ground_truth, needs_captures
from tests.upstox_kit import (
    INDEX,
    OPTION,
    STOCK,
    asked,
    connected,
    fields,
    place,
    request,
    status_frame,
    take,
    tick_frame,
    token,
)
from tests.upstox_kit import OPENING_NS as T

THIRTEEN = "upstox-full-13-instruments-20251215-1.jsonl.gz"
CANDLES = "upstox-rest-candles-tcs-202501.jsonl.gz"
TCS = "NSE_EQ|INE467B01029"
SECOND = 10**9


def event(frame):
    return {"payload_base64": base64.b64encode(frame.payload).decode(), "received_ns": frame.received_ns}


@pytest.fixture
def session(tmp_path):
    frames = [status_frame(T, NSE_EQ="NORMAL_OPEN")]
    frames.append(tick_frame(T + SECOND, **{STOCK: 10, OPTION: 20}))
    frames.append(tick_frame(T + 2 * SECOND, **{OPTION: 21}))
    frames.append(tick_frame(T + 3 * SECOND, **{STOCK: 11}))
    return capture(tmp_path / "session.gz", "upstox", [event(frame) for frame in frames])


def volumes(messages, symbol):
    found = [pb.FeedResponse.FromString(message).feeds for message in messages]
    return [feeds[symbol].fullFeed.marketFF.vtt for feeds in found if symbol in feeds]


async def test_without_a_token_nothing_is_given_out(session):
    async with replay([session]) as simulator:
        answer = await asked(simulator, "/v3/feed/market-data-feed/authorize", bearer="wrong")
        candles = await asked(simulator, f"/v3/historical-candle/intraday/{STOCK}/minutes/1", bearer="wrong")

    assert (401, "UDAPI100050") == (answer.status_code, answer.json()["errors"][0]["error_code"])
    assert 401 == candles.status_code


async def test_a_code_holds_for_one_connection(session):
    async with replay([session]) as simulator:
        url = await place(simulator)
        async with connect(url) as first:
            await take(first, 1)
        async with connect(url) as second:
            with pytest.raises(ConnectionClosed):
                await take(second, 1)


async def test_the_older_way_in_is_a_redirect_to_the_same_place(session):
    async with replay([session]) as simulator:
        answer = await asked(simulator, "/v3/feed/market-data-feed")
        async with connect(answer.headers["Location"]) as socket:
            kind, _, _ = fields((await take(socket, 1))[0])

    assert (302, "market_info") == (answer.status_code, kind)


async def test_a_token_names_the_moment_of_its_death(session):
    async with replay([session]) as simulator:
        claims = (await token(simulator)).split(".")[1]

    dies_s = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
    assert 22 * 3600 == dies_s % 86_400


async def test_a_token_may_be_told_to_die_sooner(session):
    async with replay([session]) as simulator:
        simulator.faults.order(Fault(kind="token_life", venue="upstox", delay_s=0))
        refused = await asked(simulator, "/v3/feed/market-data-feed/authorize", await token(simulator))
        admitted = await asked(simulator, "/v3/feed/market-data-feed/authorize", await token(simulator))

    assert (401, 200) == (refused.status_code, admitted.status_code)


async def test_the_status_of_the_market_comes_before_anything_is_asked_for(session):
    async with replay([session]) as simulator, connected(simulator) as socket:
        _, _, response = fields((await take(socket, 1))[0])

    assert {"NSE_EQ": pb.NORMAL_OPEN} == dict(response.marketInfo.segmentStatus)


async def test_a_client_gets_only_the_instruments_it_subscribed_to(session):
    async with replay([session]) as simulator, connected(simulator) as socket:
        await socket.send(request([STOCK]))
        messages = await take(socket, 3)

    assert [[], [STOCK], [STOCK]] == [fields(message)[1] for message in messages]
    assert [10, 11] == volumes(messages, STOCK)


async def test_an_instrument_subscribed_to_later_catches_up(session):
    async with replay([session]) as simulator, connected(simulator) as socket:
        await socket.send(request([STOCK]))
        await take(socket, 3)
        await socket.send(request([OPTION]))
        late = await take(socket, 2)

    assert [20, 21] == volumes(late, OPTION)


@pytest.mark.parametrize(
    "ignored",
    [
        request([STOCK]).decode(),  # a text frame
        b"no json",
        request([STOCK], mode="full_d30"),  # nobody has paid for it
        request([f"NSE_EQ|{number}" for number in range(2001)]),
        request([STOCK], method="subscribe"),
    ],
)
async def test_what_is_not_allowed_is_ignored_without_a_word(session, ignored):
    async with replay([session]) as simulator, connected(simulator) as socket:
        await take(socket, 1)
        await socket.send(ignored)
        await socket.send(request([OPTION]))
        first = (await take(socket, 1))[0]

    assert [OPTION] == fields(first)[1]


async def test_frames_of_a_recording_arrive_unchanged(session):
    async with replay([session]) as simulator, connected(simulator) as socket:
        await socket.send(request([STOCK, OPTION]))
        messages = await take(socket, 4)

    assert [
        status_frame(T, NSE_EQ="NORMAL_OPEN").payload,
        tick_frame(T + SECOND, **{STOCK: 10, OPTION: 20}).payload,
    ] == messages[:2]


async def test_a_lost_frame_is_in_the_ledger(session):
    async with replay([session]) as simulator, connected(simulator) as socket:
        simulator.faults.order(Fault(kind="gap", venue="upstox", match=OPTION))
        await socket.send(request([STOCK, OPTION]))
        await take(socket, 3)
        told = simulator.ledger.facts()["upstox"]

    assert (2, 1) == (told["published"][OPTION]["tick"]["messages"], told["sent"][OPTION]["tick"]["messages"])


async def test_the_demo_sends_a_status_a_first_state_and_then_what_changes():
    async with demo() as simulator, connected(simulator) as socket:
        keys = simulator.environment["UPSTOX_INSTRUMENT_KEYS"].split(",")
        await socket.send(request(keys))
        messages = await take(socket, 12)

    kinds = [fields(message)[0] for message in messages]
    assert ["market_info", "initial_feed"] == kinds[:2]
    assert {"live_feed"} == set(kinds[2:])
    assert sorted(keys) == fields(messages[1])[1]
    assert all(set(fields(message)[1]) < set(keys) for message in messages[2:])


@pytest.mark.parametrize(
    ("mode", "unions"),
    [
        ("ltpc", {"ltpc"}),
        ("full", {"fullFeed"}),
        ("option_greeks", {"ltpc", "firstLevelWithGreeks"}),
    ],
)
async def test_the_demo_knows_the_modes(mode, unions):
    async with demo() as simulator, connected(simulator) as socket:
        await take(socket, 1)
        await socket.send(request(simulator.environment["UPSTOX_INSTRUMENT_KEYS"].split(","), mode=mode))
        _, _, response = fields((await take(socket, 1))[0])

    assert unions == {feed.WhichOneof("FeedUnion") for feed in response.feeds.values()}


async def test_indices_of_the_demo_have_neither_volume_nor_book():
    async with demo() as simulator, connected(simulator) as socket:
        await take(socket, 1)
        await socket.send(request([INDEX]))
        _, _, response = fields((await take(socket, 1))[0])

    assert "indexFF" == response.feeds[INDEX].fullFeed.WhichOneof("FullFeedUnion")


async def test_candles_of_the_demo_are_the_last_whole_minutes_newest_first():
    async with demo() as simulator:
        answer = await asked(simulator, f"/v3/historical-candle/intraday/{TCS}/minutes/1")

    starts = [row[0] for row in answer.json()["data"]["candles"]]
    assert starts == sorted(starts, reverse=True)
    assert len(starts) > 0
    assert all(start.endswith(":00+05:30") for start in starts)


@needs_captures
async def test_recorded_candles_are_given_out_by_day():
    truth = ground_truth(CANDLES)["symbols"][TCS]["bars_and_volume_per_day"]
    async with replay([CAPTURES / CANDLES]) as simulator:
        path = f"/v3/historical-candle/{TCS}/minutes/1/2025-01-03/2025-01-02"
        rows = (await asked(simulator, path)).json()["data"]["candles"]

    for day in ("2025-01-02", "2025-01-03"):
        of_day = [row for row in rows if row[0].startswith(day)]
        assert truth[day] == [len(of_day), str(sum(row[5] for row in of_day))]
    assert "2025-01-03T15:29:00+05:30" == rows[0][0]


@needs_captures
async def test_every_recorded_frame_arrives_in_order():
    truth = ground_truth(THIRTEEN)
    async with replay([CAPTURES / THIRTEEN]) as simulator, connected(simulator) as socket:
        await socket.send(request(simulator.environment["UPSTOX_INSTRUMENT_KEYS"].split(",")))
        messages = await take(socket, truth["events"]["ws1 in"])
        sent = simulator.ledger.facts()["upstox"]["sent"]

    assert {symbol: facts["ticks"] for symbol, facts in truth["symbols"].items()} == {
        symbol: facts["tick"]["messages"] for symbol, facts in sent.items()
    }
    stamps = [pb.FeedResponse.FromString(message).currentTs for message in messages]
    assert stamps == sorted(stamps)


async def test_the_vendors_own_reader_understands_the_demo():
    sdk = pytest.importorskip("upstox_client", reason="upstox-python-sdk is not installed")
    vendors = pytest.importorskip("upstox_client.feeder.proto.MarketDataFeedV3_pb2")

    async with demo() as simulator:
        configuration = sdk.Configuration()
        configuration.host = simulator.environment["UPSTOX_API_URL"]
        configuration.access_token = await token(simulator)
        api = sdk.WebsocketApi(sdk.ApiClient(configuration))
        answer = await asyncio.to_thread(api.get_market_data_feed_authorize_v3)
        async with connect(answer.data.authorized_redirect_uri, compression=None) as socket:
            feeder = sdk.feeder.market_data_feeder_v3.MarketDataFeederV3(sdk.ApiClient(configuration))
            await socket.send(feeder.build_request([TCS, INDEX, "NSE_FO|51414"], "sub", "full"))
            _, first = await take(socket, 2)

    response = vendors.FeedResponse.FromString(first)
    market = response.feeds[TCS].fullFeed.marketFF
    assert [TCS, "NSE_FO|51414", INDEX] == sorted(response.feeds)
    assert (5, ["1d", "I1"]) == (len(market.marketLevel.bidAskQuote), [one.interval for one in market.marketOHLC.ohlc])
    assert response.SerializeToString(deterministic=True) == pb.FeedResponse.FromString(first).SerializeToString(
        deterministic=True
    )
