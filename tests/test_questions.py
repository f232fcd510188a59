"""Questions over HTTP under every bad answer: asked again within the budget, never mistaken for "nothing new"."""

import asyncio
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest

from common.clock import NS_PER_S, now_ns
from common.errors import FeedRefused
from common.heartbeat import Figures
from common.redis_streams import connect
from common.settings import Settings
from ingesters.allowance import Allowance
from ingesters.feed import Fetch, Forget, Recall
from ingesters.mailbox import Mailbox
from ingesters.questions import Questions
from ingesters.venue import Budget
from ingesters.web import Web
from tests.fleet_harness import free_port
from tests.ingest_kit import PLENTY, WebVenue, answer, listener, redis_of_module, until

__all__ = ["redis_of_module"]

pytestmark = [pytest.mark.redis, pytest.mark.timeout(30)]

GOOD = answer(b'{"good":1}')
ONE = Fetch("one", "")


@pytest.fixture
async def redis(redis_of_module):
    redis_of_module.redis.flushall()
    client = connect(Settings(redis_host="127.0.0.1", redis_port=redis_of_module.redis_port))
    yield client
    await client.aclose()


def allowance_of(redis, budget=PLENTY):
    return Allowance("venue", budget, redis, Figures("ingester", "ingester", "ingester", "venue"))


@asynccontextmanager
async def asking(redis, allowance=None, answer_s=5.0):
    mailbox = Mailbox()
    figures = Figures("ingester", "ingester", "ingester", "venue")
    questions = Questions(Web(answer_s), allowance or allowance_of(redis), redis, mailbox, figures)
    try:
        yield questions, mailbox
    finally:
        await questions.close()


async def answers(mailbox, count=1):
    found = []
    async with asyncio.timeout(15):
        while len(found) < count:
            found += await mailbox.take()
    return [(frame.reply_to, frame.payload) for frame in found]


async def failed(questions, mailbox):
    """Raise what the questions fail with."""
    async with asyncio.timeout(10):
        while True:
            await mailbox.take()
            questions.check()


async def trickle(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        writer.write(b"x")
        await asyncio.sleep(0.1)


async def hang(_writer):
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    "bad",
    [
        answer(b"", "500 Internal Server Error"),
        answer(b"<html>", "503 Service Unavailable"),
        answer(b"", "524 A Timeout Occurred"),
        answer(b"", "408 Request Timeout"),
        answer(b'{"go', length=100),
        answer(b"no gzip", Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFF\r\nhalf a chunk",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
        None,
        hang,
        trickle,
    ],
    ids=["500", "503", "524", "408", "truncated", "no gzip", "chunk", "no HTTP", "nothing", "cut", "hang", "trickle"],
)
async def test_a_question_without_a_good_answer_is_asked_again(redis, bad):
    venue = WebVenue(bad, GOOD)
    async with venue.open() as url, asking(redis, answer_s=0.3) as (questions, mailbox):
        questions.ask(ONE._replace(url=f"{url}/x?y=1"))

        assert [("one", b'{"good":1}')] == await answers(mailbox)
    assert ["/x?y=1", "/x?y=1"] == [path for path, _ in venue.asked]


async def test_a_venue_that_is_not_there_is_asked_until_it_is(redis):
    port = free_port()
    async with asking(redis) as (questions, mailbox):
        questions.ask(ONE._replace(url=f"http://127.0.0.1:{port}/"))
        await until(lambda: questions._figures.counters["questions_failed_total"] > 0)
        assert "one: ConnectionError: Failed to establish a new connection: [Errno 111] Connection refused" == (
            questions._figures.last_error
        )
        async with listener(WebVenue(GOOD).talk, port):
            assert [("one", b'{"good":1}')] == await answers(mailbox)


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone", "400 Bad Request"]
)
async def test_a_refusal_is_final_and_in_the_venues_words(redis, status):
    venue = WebVenue(answer(b"no, " + b"\xff" * 10**6, status))
    async with venue.open() as url, asking(redis) as (questions, mailbox):
        questions.ask(ONE._replace(url=f"{url}/book?key=secret"))

        with pytest.raises(FeedRefused, match=f"venue refused: {url}/book answered HTTP {status[:3]}: no, "):
            await failed(questions, mailbox)


async def test_a_status_that_the_feed_understands_is_an_answer(redis):
    async with WebVenue(answer(b"bad symbol", "400 Bad Request")).open() as url, asking(redis) as (questions, mailbox):
        questions.ask(ONE._replace(url=url, accept=(400,)))

        assert [("one", b"bad symbol")] == await answers(mailbox)


async def test_a_bug_in_asking_is_not_lost(redis):
    async with asking(redis) as (questions, mailbox):
        questions.ask(Fetch("one", "http://127.0.0.1/", body=object()))

        with pytest.raises(TypeError):
            await failed(questions, mailbox)


def in_two_seconds():
    return formatdate(now_ns() / NS_PER_S + 2.5, usegmt=True)  # whole seconds: 1.5 to 2.5 from now


@pytest.mark.parametrize("status", ["429 Too Many Requests", "418 I am a teapot"])
@pytest.mark.parametrize("wait", [lambda: "2", in_two_seconds], ids=["seconds", "date"])
async def test_every_question_of_the_venue_waits_as_long_as_it_says(redis, status, wait):
    venue = WebVenue(answer(b"", status, Retry_After=wait()), GOOD)
    async with venue.open() as url, asking(redis) as (questions, mailbox), asking(redis) as (elsewhere, mailbox_there):
        questions.ask(ONE._replace(url=url))
        await until(lambda: len(venue.asked), 1)
        await until(lambda: questions._figures.counters["questions_failed_total"], 1)
        await until(lambda: questions._allowance._not_before_s > 0)
        await asyncio.sleep(0.05)  # until Redis knows: the other processes are told by it
        questions.ask(Fetch("two", url))
        elsewhere.ask(Fetch("three", url))

        assert {"one", "two"} == {key for key, _ in await answers(mailbox, 2)}
        assert [("three", b'{"good":1}')] == await answers(mailbox_there)
    assert min(at_s for _, at_s in venue.asked[1:]) - venue.asked[0][1] >= 1.3


async def test_the_firewall_of_a_venue_is_waited_for_longer_each_time_and_no_refusal(redis):
    blocked = answer(b"<html>blocked</html>", "403 Forbidden")
    venue = WebVenue(blocked, blocked, GOOD)
    allowance = allowance_of(redis, Budget(weight=100, window_s=1, slow_down=(403,)))
    async with venue.open() as url, asking(redis, allowance) as (questions, mailbox):
        questions.ask(ONE._replace(url=url))
        await until(lambda: questions._figures.troubles, {"one": "one: HTTP 403: <html>blocked</html>"})

        assert [("one", b'{"good":1}')] == await answers(mailbox)
    first_s, second_s = venue.pauses_s()
    assert (True, True) == (first_s >= 1.0, second_s >= 2.0)


async def test_questions_that_a_firewall_turns_away_together_wait_no_longer_for_being_many(redis):
    allowance = allowance_of(redis, Budget(weight=100, window_s=60, slow_down=(403,)))
    first_s = allowance.least_wait_s(403)

    assert first_s >= allowance.least_wait_s(403)


@pytest.mark.parametrize(("used", "is_held_off"), [("899", False), ("900", True), ("many", False)])
async def test_what_others_at_this_address_have_spent_is_heeded(redis, used, is_held_off):
    venue = WebVenue(answer(b'{"good":1}', X_Used=used))
    allowance = allowance_of(redis, Budget(weight=500, window_s=3600, told="X-Used", limit=1000))
    async with venue.open() as url, asking(redis, allowance) as (questions, mailbox):
        questions.ask(ONE._replace(url=url))
        await answers(mailbox)

    assert is_held_off == bool(await redis.exists("ban:{venue}"))


async def test_a_ban_outlives_the_connection(redis):
    venue = WebVenue(answer(b"", "429 Too Many Requests", Retry_After="1"), GOOD)
    allowance = allowance_of(redis)
    async with venue.open() as url:
        async with asking(redis, allowance) as (questions, _):
            questions.ask(ONE._replace(url=url))
            await until(lambda: allowance._not_before_s > 0)
        await redis.delete("ban:{venue}")  # a Redis that was away could not be told
        async with asking(redis, allowance) as (questions, mailbox):
            questions.ask(ONE._replace(url=url))
            await answers(mailbox)

    assert venue.pauses_s()[0] >= 0.95


async def test_a_retry_after_that_nobody_understands_is_a_failure_like_others(redis):
    venue = WebVenue(answer(b"", "429 Too Many Requests", Retry_After="soon"), GOOD)
    async with venue.open() as url, asking(redis) as (questions, mailbox):
        questions.ask(ONE._replace(url=url))

        assert [("one", b'{"good":1}')] == await answers(mailbox)


async def test_two_processes_share_one_window(redis):
    budget = Budget(weight=10, window_s=2)
    venue = WebVenue(GOOD)
    async with (
        venue.open() as url,
        asking(redis, allowance_of(redis, budget)) as (first, heard_first),
        asking(redis, allowance_of(redis, budget)) as (second, heard_second),
    ):
        for number in range(8):
            for questions in (first, second):
                questions.ask(Fetch(f"{number}", url))
        await asyncio.gather(answers(heard_first, 8), answers(heard_second, 8))

    times = [at_s for _, at_s in venue.asked]
    most = max(sum(start <= at_s < start + 1.9 for at_s in times) for start in times)  # the way there takes time, too
    assert (16, True) == (len(times), most <= 10)


async def test_weights_count(redis):
    allowance = allowance_of(redis, Budget(weight=10, window_s=60))
    await allowance.spend(6)
    await allowance.spend(4)
    third = asyncio.create_task(allowance.spend(1))
    await until(lambda: allowance._figures.gauges["budget_spent"], 10)

    assert not (await asyncio.wait((third,), timeout=0.1))[0]
    third.cancel()


async def test_a_question_that_had_to_wait_has_cost_nothing(redis):
    allowance = allowance_of(redis, Budget(weight=10, window_s=60))
    await allowance.spend(6)
    heavy = asyncio.create_task(allowance.spend(5))
    await asyncio.wait((heavy,), timeout=0.1)

    await asyncio.wait_for(allowance.spend(4), 1)
    heavy.cancel()


async def test_a_question_heavier_than_the_budget_is_asked_alone(redis):
    allowance = allowance_of(redis, Budget(weight=10, window_s=1))
    loop = asyncio.get_running_loop()
    await asyncio.wait_for(allowance.spend(50), 3)
    started_s = loop.time()
    await asyncio.wait_for(allowance.spend(1), 5)

    assert loop.time() - started_s > 0.5


async def test_what_redis_could_not_say_or_forget_is_tried_again(redis, redis_of_module):
    await redis.sadd("words", "a", "b")
    redis_of_module.kill("redis")
    async with asking(redis) as (questions, mailbox):
        questions.put(Forget("words", ("a",)))
        await until(lambda: bool(questions._figures.last_error))
        redis_of_module.restart("redis")
        await until(lambda: len(questions._tasks), 0)
        questions.put(Recall("words"))

        assert [("words", b"b")] == await answers(mailbox)
