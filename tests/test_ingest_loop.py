"""The loop around a venue: when it dials again, what it writes down about it, and that nothing heard is lost."""

import asyncio
import json
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from websockets.exceptions import ConnectionClosed

from common.errors import FeedRefused, Fenced
from ingesters.__main__ import main
from ingesters.feed import Fetch
from tests.ingest_kit import (
    Plain,
    WebVenue,
    answer,
    events,
    plain,
    records,
    redis_of_module,
    running,
    settings_of,
    until,
    venue_socket,
)

__all__ = ["redis_of_module"]

pytestmark = [pytest.mark.redis, pytest.mark.timeout(60)]


@pytest.fixture
def redis(redis_of_module):
    redis_of_module.redis.flushall()
    shutil.rmtree(redis_of_module.folder / "data", ignore_errors=True)
    return redis_of_module


def trade_ids(fleet):
    return [int(record.trade_id) for record in records(fleet, "trades")]


class Script:
    """A venue's socket: each connection is held by the next act, the last one again and again."""

    def __init__(self, *acts):
        self._acts = list(acts)
        self.dialled_s = []

    async def talk(self, socket):
        self.dialled_s.append(asyncio.get_running_loop().time())
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        await act(socket)

    def pauses_s(self):
        return [later - earlier for earlier, later in pairwise(self.dialled_s)]


def says(*numbers, then="stay"):
    async def act(socket):
        for number in numbers:
            await socket.send(json.dumps(number) if isinstance(number, int) else number)
        if then == "stay":
            await socket.wait_closed()
        elif then == "break":
            socket.transport.abort()
        else:
            await socket.close(1001, then)

    return act


def at(venue, url):
    return replace(venue, feed=plain(url).feed)


def assert_grows(pauses_s):
    """Each pause lies in the upper half of its step: 0.5, 1, 2 s; a dial takes a little as well."""
    for pause_s, most_s in zip(pauses_s, (0.5, 1.0, 2.0, 4.0), strict=False):
        assert most_s / 2 <= pause_s <= most_s + 0.3


async def test_back_off_grows_while_the_venue_hangs_up_and_is_reset_by_data(redis):
    script = Script(*[says(then="break")] * 3, says(1, then="bye"), says(2, then="bye"), says(3))
    async with venue_socket(script.talk) as url, running(redis, plain(url)):
        await until(lambda: trade_ids(redis), [1, 2, 3])

    pauses_s = script.pauses_s()
    assert_grows(pauses_s[:3])
    assert_grows(pauses_s[3:4])
    assert_grows(pauses_s[4:5])


async def test_an_answer_over_http_does_not_reset_the_back_off_of_a_socket_that_is_cut(redis):
    script = Script(says(then="break"))
    async with (
        venue_socket(script.talk) as url,
        WebVenue(answer(b"7")).open() as web,
        running(redis, plain(url, web)) as ingester,
    ):
        await until(lambda: len(script.dialled_s), 4)
        assert ingester.figures["reconnects_total"] >= 3

    assert_grows(script.pauses_s())


async def test_unreadable_messages_do_not_reset_the_back_off(redis):
    script = Script(says("no JSON", then="bye"))
    async with venue_socket(script.talk) as url, running(redis, plain(url)):
        await until(lambda: len(script.dialled_s), 4)

    assert_grows(script.pauses_s())


async def test_a_venue_that_refuses_the_handshake_is_dialled_again_with_growing_pauses(redis):
    venue = WebVenue(answer(b"", "429 Too Many Requests"))
    async with venue.open() as url, running(redis, plain(url.replace("http", "ws"))) as ingester:
        await until(lambda: len(venue.asked), 4)

        assert "429" in ingester.work.figures.last_error
        assert "waiting" == ingester.work.figures.state
    assert_grows(venue.pauses_s())


async def test_each_end_of_a_connection_is_an_event_with_its_stretch_and_reason(redis):
    script = Script(says(1, then="going away"), says(2, then="break"), says(3))
    async with venue_socket(script.talk) as url, running(redis, plain(url)):
        await until(lambda: trade_ids(redis), [1, 2, 3])

    told = events(redis, "connected", "disconnected")
    assert ["connected", "disconnected"] * 3 == [event.kind for event in told]
    reasons = [event.detail for event in told if event.kind == "disconnected"]
    assert "1001 going away" in reasons[0]
    assert "without a word" in reasons[1]
    assert "told to stop" in reasons[2]
    edges_ns = [(event.from_ns, event.to_ns) for event in told]
    assert all(from_ns <= to_ns for from_ns, to_ns in edges_ns)
    assert [from_ns for from_ns, _ in edges_ns] == sorted(from_ns for from_ns, _ in edges_ns)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"dead_s": 0.5}, "not a byte for 0.5 s"), ({"mute_s": lambda _: 0.5}, "nothing but pings for 0.5 s")],
    ids=["dead", "mute"],
)
async def test_a_silent_socket_is_dialled_again(redis, limits, reason):
    async def mute(socket):
        await socket.send("1")
        while "mute_s" in limits:
            await socket.ping()
            await asyncio.sleep(0.1)
        await socket.wait_closed()

    script = Script(mute, says(2))
    async with venue_socket(script.talk) as url, running(redis, plain(url, **limits)):
        await until(lambda: trade_ids(redis), [1, 2])

    assert reason in events(redis, "disconnected")[0].detail


async def test_an_answer_over_http_does_not_end_the_silence_of_a_socket(redis):
    script = Script(says(1), says())
    async with (
        venue_socket(script.talk) as url,
        WebVenue(answer(b"7")).open() as web,
        running(redis, plain(url, web, mute_s=lambda _: 1.5)) as ingester,
    ):
        gauges = ingester.work.figures.gauges
        await until(lambda: len(script.dialled_s) > 1, what="the first socket is found mute")
        spoke_ns = gauges["last_frame_ns"]
        await until(lambda: len(script.dialled_s) > 2, what="so is the second, and each time an answer came")

        assert spoke_ns == gauges["last_frame_ns"] < max(trade.received_ns for trade in records(redis, "trades"))


async def test_a_venue_without_sockets_is_heard_by_its_answers(redis):
    class Polled(Plain):
        def opening(self):
            yield Fetch("question", self._question)

    async with WebVenue(answer(b"7")).open() as web:
        venue = replace(plain(""), feed=lambda _settings, _resume: Polled("", web))
        async with running(redis, venue) as ingester:
            await until(lambda: "last_frame_ns" in ingester.work.figures.gauges)


async def test_garbage_and_half_messages_are_set_aside_with_their_bytes_and_the_rest_goes_on(redis):
    bad = ['{"half', "<html>", "", "\u00e9", b"\xff\xfe\x00", "null"]
    script = Script(says(1, *bad, 2))
    async with venue_socket(script.talk) as url, running(redis, plain(url)) as ingester:
        await until(lambda: trade_ids(redis), [1, 2])

        assert len(bad) == ingester.figures["dead_letters_total"]
        assert ["connected"] == [event.kind for event in events(redis, "connected", "disconnected")]
    letters = records(redis, "dead_letters")
    assert ['{"half', "<html>", "", "\u00e9", "//4A", "null"] == [letter.payload for letter in letters]
    assert ["text"] * 4 + ["base64", "text"] == [letter.encoding for letter in letters]
    assert len(bad) == len({letter.id for letter in letters})


async def test_a_message_of_ten_megabytes_that_nobody_can_read_is_kept_whole(redis):
    payload = "x" * (10 * 2**20)
    async with venue_socket(Script(says(1, payload, 2)).talk) as url, running(redis, plain(url)):
        await until(lambda: trade_ids(redis), [1, 2])

    assert [payload] == [letter.payload for letter in records(redis, "dead_letters")]


async def test_a_refusal_is_in_redis_before_the_end_and_what_came_with_it_too(redis):
    async with venue_socket(Script(says(1, 2)).talk) as url:

        async def refuse(_writer):
            await until(lambda: trade_ids(redis), [1, 2])
            return answer(b"go away", "403 Forbidden")

        async with WebVenue(refuse).open() as web, running(redis, plain(url, web)) as ingester:
            with pytest.raises(FeedRefused):
                await asyncio.wait_for(asyncio.shield(ingester.ended), 10)
            refused = events(redis, "refused")
            ended = events(redis, "disconnected")

    assert 1 == len(refused)
    assert "403: go away" in refused[0].detail
    assert "403: go away" in ended[0].detail


async def test_a_refusal_is_noticed_when_nothing_else_comes(redis):
    async with (
        venue_socket(Script(says()).talk) as url,
        WebVenue(answer(b"", "401 Unauthorized")).open() as web,
        running(redis, plain(url, web)) as ingester,
    ):
        with pytest.raises(FeedRefused):
            await asyncio.wait_for(asyncio.shield(ingester.ended), 10)


async def test_all_that_was_received_before_the_stop_is_in_redis(redis):
    count = 20_000
    sent = asyncio.Event()

    async def talk(socket):
        for number in range(count):
            await socket.send(str(number))
        sent.set()
        await socket.wait_closed()

    async with venue_socket(talk) as url, running(redis, plain(url)) as ingester:
        await asyncio.wait_for(sent.wait(), 20)
        await until(lambda: ingester.figures["frames_total"] > 0)
        await ingester.stop()
        heard = ingester.figures["frames_total"]

    found = trade_ids(redis)
    assert list(range(heard)) == found


def floods(sent, letters=1100):
    """Say letters of 64 KiB that nobody can read, then a number; `sent` counts them."""

    async def talk(socket):
        with suppress(ConnectionClosed):
            while len(sent) < letters:
                await socket.send(json.dumps("x" * 2**16))
                sent.append(1)
            await socket.send("1")
            await socket.wait_closed()

    return talk


async def test_a_redis_that_stands_still_does_not_hold_the_venue_back(redis):
    sent = []
    pid = redis.pid("redis")
    async with venue_socket(floods(sent)) as url, running(redis, plain(url)) as ingester:
        await until(lambda: ingester.figures["frames_total"] > 10)
        os.kill(pid, signal.SIGSTOP)
        try:
            await until(lambda: ingester.figures["frames_total"], 1101)
            held_bytes = ingester.work.sink.waiting_bytes
            await until(lambda: ingester.work.sink.waiting_bytes, 0)
            spooled_bytes = ingester.work.figures.gauges["spool_bytes"]
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: trade_ids(redis), [1])
        # To ask by reading all of it again and again would keep the ingester from its work.
        await until(lambda: redis.redis.hget("shard:{stream:dead_letters}", "offset"), "1100", give_up_s=60)

        assert 0 == ingester.figures["reconnects_total"]
    assert 1100 == len(records(redis, "dead_letters"))
    assert held_bytes < 32 * 2**20 < spooled_bytes


async def test_a_full_spool_holds_the_venue_back_and_is_no_silence_of_the_venue(redis):
    sent = []
    pid = redis.pid("redis")
    little = {"SPOOL_MAX_BYTES": str(2**20)}
    venue = plain("", dead_s=1.5, mute_s=lambda _: 1.5)
    async with venue_socket(floods(sent)) as url, running(redis, at(venue, url), little) as ingester:
        await until(lambda: ingester.figures["frames_total"] > 10)
        os.kill(pid, signal.SIGSTOP)
        try:
            await until(lambda: ingester.work.sink.is_full)
            await asyncio.sleep(3)  # that nothing happens is not an event: longer than dead_s and a look at it
            held_bytes, sent_meanwhile = ingester.work.sink.waiting_bytes, len(sent)
            detail = ingester.work.figures.detail
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: trade_ids(redis), [1])
        await until(lambda: bool(events(redis, "gap")))

        assert 0 == ingester.figures["reconnects_total"]
        await until(lambda: ingester.work.figures.state, "running")
    assert "SPOOL_MAX_BYTES" in detail
    assert held_bytes < 64 * 2**20
    assert sent_meanwhile < 1100
    assert 1100 == len(records(redis, "dead_letters"))
    unread = events(redis, "gap")[0]
    assert "the wire was not read" in unread.detail
    assert 2.5e9 < unread.to_ns - unread.from_ns < 20e9


async def test_told_to_stop_while_redis_stands_still_it_leaves_all_in_the_spool_for_the_next_start(redis):
    pid = redis.pid("redis")
    stop = asyncio.Event()
    told = asyncio.Event()

    async def talk(socket):
        await socket.send("1")
        await told.wait()
        await socket.send("2")
        await socket.send("3")
        await socket.wait_closed()

    async with venue_socket(talk) as url:
        program = asyncio.create_task(main(plain(url), settings_of(redis), stop))
        await until(lambda: trade_ids(redis), [1])
        os.kill(pid, signal.SIGSTOP)
        try:
            told.set()
            await asyncio.sleep(0.3)
            stop.set()
            started_s = asyncio.get_running_loop().time()
            await asyncio.wait_for(program, 10)
        finally:
            os.kill(pid, signal.SIGCONT)
        took_s = asyncio.get_running_loop().time() - started_s

        assert took_s < 6
        async with running(redis, plain(url)) as ingester:
            await until(lambda: trade_ids(redis), [1, 2, 3])
            assert {("trades", "ANY"): 3} == ingester.work.sink.marks
    assert "told to stop" in events(redis, "disconnected")[0].detail


async def test_told_to_stop_while_neither_redis_nor_the_disk_takes_anything_it_says_what_it_gives_up(redis, capfd):
    pid = redis.pid("redis")
    stop = asyncio.Event()
    told = asyncio.Event()

    async def talk(socket):
        await socket.send("1")
        await told.wait()
        await socket.send("2")
        await socket.send("3")
        await socket.wait_closed()

    no_room = settings_of(redis).model_copy(update={"spool_max_bytes": 0})
    async with venue_socket(talk) as url:
        program = asyncio.create_task(main(plain(url), no_room, stop, drain_s=3.0))
        await until(lambda: trade_ids(redis), [1])
        os.kill(pid, signal.SIGSTOP)
        try:
            told.set()
            await asyncio.sleep(0.3)
            stop.set()
            await asyncio.wait_for(program, 10)
        finally:
            os.kill(pid, signal.SIGCONT)

    said = capfd.readouterr().out
    assert "ingest.gave_up" in said
    assert "records=3" in said  # two trades, and that the connection was ended


async def test_the_end_does_not_wait_for_a_redis_that_is_not_there(redis):
    settings = settings_of(redis).model_copy(update={"redis_port": 1})
    stop = asyncio.Event()
    program = asyncio.create_task(main(plain("ws://127.0.0.1:1/"), settings, stop))
    await asyncio.sleep(0.3)
    stop.set()

    await asyncio.wait_for(program, 5)


async def test_a_redis_that_is_full_at_the_start_is_waited_for(redis):
    redis.redis.config_set("maxmemory", "1")
    stop = asyncio.Event()
    async with venue_socket(Script(says(1)).talk) as url:
        program = asyncio.create_task(main(plain(url), settings_of(redis), stop))
        await asyncio.sleep(0.5)
        redis.redis.config_set("maxmemory", "0")
        await until(lambda: trade_ids(redis), [1])
        stop.set()
        await asyncio.wait_for(program, 10)


async def test_a_full_redis_still_hears_who_lives_and_what_it_waits_for(redis):
    stop = asyncio.Event()
    async with venue_socket(Script(says(1)).talk) as url:
        program = asyncio.create_task(main(plain(url), settings_of(redis), stop))
        await until(lambda: trade_ids(redis), [1])
        redis.redis.config_set("maxmemory", "1")
        redis.redis.delete("proc:plain_ingester")
        await until(lambda: redis.redis.exists("proc:plain_ingester"), 1)
        redis.redis.config_set("maxmemory", "0")
        stop.set()
        await asyncio.wait_for(program, 10)


async def test_the_older_of_two_copies_ends_and_nothing_is_doubled(redis):
    is_copied = asyncio.Event()

    async def older(socket):
        await socket.send("1")
        await is_copied.wait()
        await socket.send("9")
        await socket.wait_closed()

    async with venue_socket(Script(older, says(2)).talk) as url:
        old = asyncio.create_task(main(plain(url), settings_of(redis), asyncio.Event()))
        await until(lambda: trade_ids(redis), [1])
        async with running(redis, plain(url)):
            await until(lambda: trade_ids(redis), [1, 2])
            is_copied.set()
            with pytest.raises(Fenced, match="another process has taken it"):
                await asyncio.wait_for(old, 10)
    assert [1, 2] == trade_ids(redis)
