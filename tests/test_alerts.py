"""An alarm begins once and ends once, is written down and told; a notifier that is down delays nothing."""

import asyncio
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from common.settings import Settings
from monitoring.alarms import Alarm, Alarms
from monitoring.alert_terms import Facts, Rule, Sign, Thresholds
from monitoring.alerting import fresh_rows
from monitoring.notifiers import Message, Notifier, NotTold, Post, notifiers
from tests.fleet_harness import wait_for
from tests.monitoring_fixtures import dashboard

SOMETHING = Facts(view=None)
TOLD = Message("lag: writer", "40 s behind", {"event": "alert"})


def alarms_of(signs, *, after_s=10.0, clear_s=30.0, firing=()):
    """Alarms with one rule that sees what stands in the list."""
    rule = Rule("lag", "behind", lambda _facts, _limits: list(signs), after_s=after_s, clear_s=clear_s)
    return Alarms(Thresholds(), (rule,), firing)


def looks(alarms, signs, *steps):
    """Look at each (second, what is amiss); return what changed."""
    changes = []
    for now_s, present in steps:
        signs[:] = [Sign(subject, "ill") for subject in present]
        changes += [(now_s, change.alarm.subject, change.state) for change in alarms.look(SOMETHING, now_s)]
    return changes


def test_what_lasts_fires_once_and_is_over_once():
    signs = []
    alarms = alarms_of(signs)
    steps = [(0, "a"), (5, "a"), (10, "a"), (20, "a"), (25, ""), (49, ""), (50, ""), (60, "")]

    assert [(10, "a", "firing"), (50, "a", "over")] == looks(alarms, signs, *steps)


def test_what_passes_by_itself_never_fires():
    signs = []

    assert [] == looks(alarms_of(signs), signs, (0, "a"), (9, "a"), (10, ""), (11, "a"), (20, "a"))


def test_what_comes_and_goes_does_not_ring_each_time():
    signs = []
    steps = [(0, "a"), (10, "a"), *((10 + 10 * n, "a" if n % 2 else "") for n in range(1, 9)), (130, "")]

    assert [(10, "a", "firing"), (130, "a", "over")] == looks(alarms_of(signs), signs, *steps)


def test_two_subjects_are_two_alarms():
    signs = []

    assert [(10, "a", "firing"), (10, "b", "firing")] == looks(alarms_of(signs), signs, (0, "ab"), (10, "ab"))


def test_what_fired_before_a_restart_is_not_told_again():
    signs = []
    alarms = alarms_of(signs, firing=[Alarm("lag", "a", "ill", since_s=0, seen_s=0, is_firing=True)])

    assert [(60, "a", "over")] == looks(alarms, signs, (5, "a"), (20, "a"), (60, ""))


@pytest.mark.parametrize(
    ("before", "rows", "told"),
    [
        ({}, {"trades": 100}, {}),
        ({"trades": 100}, {"trades": 130, "quotes": 5}, {"trades": 30}),
        ({"trades": 100}, {"trades": 100}, {}),
        ({"trades": 100}, {"trades": 90}, {}),
    ],
)
def test_new_data_are_rows_that_were_not_there_at_the_last_notice(before, rows, told):
    assert told == fresh_rows(before, rows)


async def test_the_farewell_is_told_before_the_end():
    arrived = []
    stop = asyncio.Event()
    post = Post([Notifier("well", arrived.append)], TOLD)
    running = asyncio.create_task(post.run(stop))
    stop.set()
    await running

    assert [TOLD] == arrived


async def test_a_notifier_that_is_down_delays_no_other():
    arrived, all_told = [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def take(message):
        arrived.append(message)
        if len(arrived) == 3:
            loop.call_soon_threadsafe(all_told.set)

    def fail(_message):
        raise NotTold("down")

    stop = asyncio.Event()
    post = Post([Notifier("deaf", fail), Notifier("well", take)])
    running = asyncio.create_task(post.run(stop))
    for _ in range(3):
        post.put(TOLD)
    async with asyncio.timeout(5):
        await all_told.wait()
    stop.set()
    await running

    assert {"deaf": "down"} == post.failed


@contextmanager
def listening(status=200):
    """A web server that keeps what is posted to it."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_words):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posted
    finally:
        server.shutdown()
        server.server_close()


def test_a_webhook_is_told_words_and_facts():
    with listening() as (url, posted):
        (way,) = notifiers(Settings(notification_url=f"{url}/hook"))
        way.send(TOLD)

    assert [("/hook", {"title": "lag: writer", "message": "40 s behind", "event": "alert"})] == posted


def test_telegram_is_told_and_its_token_never_stands_in_an_error():
    with listening(status=401) as (url, posted):
        (way,) = notifiers(Settings(telegram_url=url, telegram_token="t0ken", telegram_chat_id="7"))
        with pytest.raises(NotTold) as caught:
            way.send(TOLD)
    with pytest.raises(NotTold) as unreachable:
        way.send(TOLD)

    assert [("/bott0ken/sendMessage", {"chat_id": "7", "text": "lag: writer\n40 s behind"})] == posted
    assert "t0ken" not in str(caught.value) + str(unreachable.value)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
def test_apprise_tells_any_address_it_knows():
    with listening() as (url, posted):
        (way,) = notifiers(Settings(notify_urls=url.replace("http://", "json://")))
        way.send(TOLD)

    assert ["40 s behind"] == [body["message"] for _, body in posted]


@pytest.mark.redis
def test_the_dashboard_tells_a_webhook_of_a_server_that_is_away_and_writes_it_down(redis_only, tmp_path):
    with (
        listening() as (url, posted),
        dashboard(tmp_path, redis_only.redis_port, NOTIFICATION_URL=url),  # its ClickHouse is not there
    ):
        wait_for(lambda: [body["subject"] for _, body in posted if body["event"] == "alert"], expected=["clickhouse"])
        wait_for(lambda: redis_only.redis.xlen("stream:alerts"), expected=1, what="its history")

    assert "clickhouse" in redis_only.redis.get("state:alerts")
