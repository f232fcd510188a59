"""Two sockets for each wire: what both say is heard once, and nothing is missing when one of them ends."""

import asyncio
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest
from websockets.exceptions import ConnectionClosed

from common.clock import monotonic_s
from common.errors import WireLost
from ingesters.feed import Dial, Send
from ingesters.mailbox import Mailbox
from ingesters.merge import WINDOW_NS, Merge
from ingesters.wires import Wires
from tests.faults.venue_kit import recorded
from tests.ingest_kit import redis_of_module, until, venue_socket  # noqa: F401

pytestmark = pytest.mark.timeout(120)

A, B = 0, 1


def merged(*said):
    """Return what is new of (socket, payload), all said within the window."""
    merge = Merge()
    return [payload for socket, payload in said if merge.is_new(payload, socket, 0)]


def test_what_two_sockets_say_is_heard_once_from_whichever_is_first():
    assert [b"1", b"2", b"3"] == merged((A, b"1"), (B, b"1"), (B, b"2"), (A, b"2"), (A, b"3"))


def test_what_a_venue_repeats_on_purpose_is_heard_as_often_as_it_is_said():
    assert [b"same", b"same"] == merged((A, b"same"), (A, b"same"), (B, b"same"), (B, b"same"))


def test_what_only_one_socket_says_is_heard():
    assert [b"1", b"2", b"3"] == merged((A, b"1"), (B, b"2"), (B, b"1"), (B, b"3"))


def test_what_was_said_long_ago_is_forgotten():
    merge = Merge()
    merge.is_new(b"x", A, 0)

    assert merge.is_new(b"x", B, WINDOW_NS + 1)
    assert 1 == len(merge._said)


class Venue:
    """A venue that says to every socket what it is told to say."""

    def __init__(self):
        self.sockets, self.heard = [], []

    async def talk(self, socket):
        self.sockets.append(socket)
        try:
            async for message in socket:
                self.heard.append((len(self.sockets), message))
        finally:
            self.sockets.remove(socket)

    async def say(self, *words):
        for word in words:
            for socket in list(self.sockets):
                with suppress(ConnectionClosed):  # one that is being left, or was killed
                    await socket.send(word)


@asynccontextmanager
async def two_sockets():
    venue, mailbox, told = Venue(), Mailbox(), []
    async with venue_socket(venue.talk) as url:
        wires = Wires("venue", mailbox, has_spares=True, tell=told.append)
        await wires.dial(Dial(url))
        wires.send(Send(b"subscribe"))
        await until(lambda: len(venue.sockets), 2)
        try:
            yield venue, mailbox, wires, told
        finally:
            wires.hang_up()


async def test_a_socket_that_is_killed_leaves_no_hole():
    async with two_sockets() as (venue, mailbox, _, told):
        await venue.say("1", "2")
        venue.sockets[0].transport.abort()
        await until(lambda: len(told), 1)
        await venue.say("3")
        await until(lambda: len(venue.sockets), 2, what="a new one stands")
        await venue.say("4")
        await until(lambda: len(mailbox.frames), 4)

        assert mailbox.lost is None
        assert [b"1", b"2", b"3", b"4"] == [frame.payload for frame in mailbox.frames]


async def test_a_new_socket_is_asked_what_the_others_were():
    async with two_sockets() as (venue, _, __, ___):
        venue.sockets[0].transport.abort()
        await until(lambda: len(venue.heard), 3)

        assert ["subscribe"] * 3 == [message for _, message in venue.heard]


async def test_a_new_socket_is_asked_no_faster_than_a_venue_allows():
    async with two_sockets() as (venue, _, wires, __):
        for number in range(7):
            wires.send(Send(b"%d" % number))
        await until(lambda: len(venue.heard), 2 + 2 * 7)
        before = len(venue.heard)
        venue.sockets[0].transport.abort()
        await until(lambda: len(venue.heard) > before)
        begun_s = monotonic_s()
        await until(lambda: len(venue.heard), before + 8)

        assert ["subscribe", *map(str, range(7))] == [message for _, message in venue.heard[before:]]
        assert monotonic_s() - begun_s > 7 / 5


async def test_a_wire_is_left_when_another_socket_has_spoken_in_its_place():
    async with two_sockets() as (venue, mailbox, wires, _):
        old = list(venue.sockets)

        assert wires.leave("main")
        for number in range(1000):
            await venue.say(str(number))
            if not set(old) & set(venue.sockets):
                break
            await asyncio.sleep(0.02)
        await until(lambda: len(venue.sockets), 2)

        numbers = [int(frame.payload) for frame in mailbox.frames]
        assert numbers == list(range(len(numbers)))
        assert mailbox.lost is None


async def test_the_wire_is_lost_when_both_sockets_end():
    async with two_sockets() as (venue, mailbox, _, __):
        for socket in list(venue.sockets):
            socket.transport.abort()
        await until(lambda: type(mailbox.lost), WireLost)


async def test_without_a_spare_a_wire_cannot_be_left():
    venue, mailbox = Venue(), Mailbox()
    async with venue_socket(venue.talk) as url:
        wires = Wires("venue", mailbox)
        await wires.dial(Dial(url))

        assert not wires.leave("main")
        wires.hang_up()


@pytest.fixture
def fleet(redis_of_module):  # noqa: F811
    redis_of_module.redis.flushall()
    return redis_of_module


SPARE = {
    "binance": {"BINANCE_HOT_SPARE": True, "BINANCE_SYMBOLS": ["BTCUSDT", "ETHUSDT"]},
    "okx": {"OKX_HOT_SPARE": True, "OKX_SYMBOLS": ["BTC-USDT", "ETH-USDT"]},
}


KINDS = ("gap", "resync", "refused", "stale")


@pytest.mark.redis
@pytest.mark.parametrize("fault", ["shutdown", "disconnect"])
@pytest.mark.parametrize("venue", SPARE)
async def test_a_socket_that_ends_costs_no_message_and_doubles_none(fleet, venue, fault):
    async with recorded(fleet, venue, f"{venue}_ingester", **SPARE[venue]) as session:
        wires = 1 if venue == "binance" else 2
        await until(lambda: sockets(session), 2 * wires, what="all have a twin")
        await until(session.is_delivering("trades"), give_up_s=30)
        told = len(session.events(*KINDS))  # at the start a snapshot may be older than the first change
        session.order(fault, channel="socket", connection=1, delay_s=0.2)
        await until(lambda: session.ingester.figures["sockets_spared_total"] > 0, give_up_s=30, what="one ends")
        await until(lambda: sockets(session), 2 * wires, give_up_s=30, what="all have a twin again")
        await session.calm(session.is_delivering("trades"), "it goes on")
        await session.ingester.stop()

        assert [] == session.events(*KINDS)[told:]
        assert 1 == len(session.events("disconnected")), "that of the end"
        for symbol, ids in session.trade_ids().items():
            assert [1] * (len(ids) - 1) == [int(two) - int(one) for one, two in pairwise(ids)], symbol
        assert not session.books()[1]


def sockets(session):
    (server,) = [one for one in session.simulator._servers if getattr(one, "_wires", None) is not None]
    return len(server._wires)
