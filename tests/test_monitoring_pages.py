"""The pages behind the overview, over a busy Redis: what they show is what lies there, and nothing is moved."""

import json

import pytest
import requests

from common.clock import NS_PER_S, now_ns
from tests.monitoring_fixtures import busy_stage, dashboard, free_port, until

pytestmark = pytest.mark.redis
HOSTILE = "<script>alert(1)</script>"
PAGES = (
    "/streams",
    "/streams/books",
    "/groups",
    "/instruments",
    "/quality",
    "/sql",
    "/dead-letters",
    "/venues",
    "/alerts",
    "/system",
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with busy_stage(tmp_path_factory.mktemp("redis")) as (stage, port):
        stage.halt()
        yield stage, port


@pytest.fixture(scope="module")
def url(stage, tmp_path_factory):
    secrets = {"ALPACA_API_KEY": "key-of-alpaca", "ALPACA_SECRET_KEY": "secret-of-alpaca"}
    with dashboard(tmp_path_factory.mktemp("dashboard"), stage[1], **secrets) as url:
        yield url


@pytest.fixture(scope="module")
def lonely(tmp_path_factory):
    """A dashboard whose Redis and ClickHouse are both away."""
    with dashboard(tmp_path_factory.mktemp("lonely"), free_port()) as url:
        yield url


def test_memory_is_redis_own_figure(url, stage):
    until(lambda: _topic(url, "tickers")["memory_bytes"], "memory was measured")
    told = stage[0].call(stage[0].redis.memory_usage("stream:tickers", samples=20))

    assert told == _topic(url, "tickers")["memory_bytes"]


def test_a_group_is_shown_shard_by_shard(url, stage):
    for _ in range(3):
        stage[0].call(stage[0].fleet.append("books", 1, records=1))
    stage[0].call(stage[0].redis.xreadgroup("clickhouse_writer", "someone", {"stream:{books:1}": ">"}))
    shard = stage[0].fleet.shard("books", 1)
    manifest = json.dumps({"start": 10, "stop": 30, "round": 2})
    facts = {"manifest": manifest, "attempts": 2, "checkpoint_id": "1000-0", "last_id": "3500-0"}
    stage[0].call(stage[0].redis.hset(shard.group("clickhouse_writer"), mapping=facts))

    def place():
        rows = get(f"{url}/api/v1/groups")["rows"]
        row = next(r for r in rows if (r["group"]["name"], r["group"]["topic"]) == ("clickhouse_writer", "books"))
        return next(one for one in row["places"] if one["key"] == "stream:{books:1}")

    until(lambda: place()["batch"] and place()["pending_entries"] >= 3, "the batch is seen")

    pending = stage[0].call(stage[0].redis.xpending("stream:{books:1}", "clickhouse_writer"))["pending"]
    assert ("10 to 30, round 2", pending, 2, 2.5) == tuple(
        place()[name] for name in ("batch", "pending_entries", "attempts", "checkpoint_s")
    )
    assert (33, 1) == (place()["behind_records"], place()["deliveries"])


def test_what_fires_is_in_the_title(url, stage):
    alarm = {"rule": "lag", "subject": HOSTILE, "words": "2 m behind", "since_s": now_ns() / NS_PER_S - 90,
             "seen_s": now_ns() / NS_PER_S, "is_firing": True}  # fmt: skip
    stage[0].call(stage[0].redis.hset("alerts:muted", "lag", f"{now_ns() / NS_PER_S + 3600:.0f}"))
    stage[0].call(stage[0].redis.set("state:alerts", json.dumps([alarm])))
    until(
        lambda: [1] == [1 for one in get(f"{url}/api/v1/alerts")["firing"] if one["muted_s"]], "the muted alarm is seen"
    )
    view, page = get(f"{url}/api/v1/alerts"), requests.get(f"{url}/groups", timeout=5).text
    stage[0].call(stage[0].redis.delete("state:alerts"))

    assert "<title>(1) Groups" in page
    assert 3500 < view["firing"][0]["muted_s"] <= 3601
    assert 1 == next(rule for rule in view["rules"] if rule["name"] == "lag")["firing"]


def test_secrets_are_shown_nowhere(url):
    page, view = requests.get(f"{url}/system", timeout=5).text, get(f"{url}/api/v1/system")
    rows = {row["name"]: row for row in view["settings"]}

    assert ("***", "environment") == (rows["ALPACA_SECRET_KEY"]["value"], rows["ALPACA_SECRET_KEY"]["origin"])
    assert "default" == rows["BOOKS_SHARDS"]["origin"]
    assert not any(secret in page + json.dumps(view) for secret in ("key-of-alpaca", "secret-of-alpaca"))


def test_the_system_page_has_the_pids_of_the_heartbeats(url, stage):
    stage[0].call(stage[0].fleet.beat())
    until(lambda: {"binance_ingester", "dashboard"} <= _pids(url).keys(), "the heartbeats are seen")
    pids = _pids(url)

    assert 4711 == pids["binance_ingester"]
    assert pids["dashboard"] > 1


def _pids(url):
    programs = get(f"{url}/api/v1/system")["programs"]
    return {one["process"]["name"]: one["pid"] for one in programs if one["pid"] is not None}


def test_a_venue_that_is_off_says_why(url):
    rows = {row["program"]: row for row in get(f"{url}/api/v1/venues")["rows"]}

    assert (False, "set UPSTOX_ACCESS_TOKEN in .env") == (
        rows["upstox_ingester"]["is_enabled"],
        rows["upstox_ingester"]["why"],
    )
    assert ["BTCUSDT", "ETHUSDT"] == [one["symbol"] for one in rows["binance_ingester"]["symbols"]]


def test_symbols_chosen_while_running_take_the_place_of_the_settings(url, stage):
    stage[0].call(stage[0].redis.sadd("symbols:binance_ingester", "SOLUSDT"))

    def row():
        return {r["program"]: r for r in get(f"{url}/api/v1/venues")["rows"]}["binance_ingester"]

    until(lambda: row()["origin"] == "chosen while running", "the choice is seen")

    assert ["SOLUSDT"] == [one["symbol"] for one in row()["symbols"]]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_stands_while_both_servers_are_away(lonely, path):
    page = requests.get(lonely + path, timeout=15)

    assert 200 == page.status_code
    assert "does not answer" in page.text
    assert "n/a" in page.text
    assert 200 == requests.get(f"{lonely}/api/v1{path}", timeout=15).status_code


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_script_of_its_own_and_no_style(url, path):
    page = requests.get(url + path, timeout=15).text

    assert "<script>" not in page
    assert " style=" not in page
    assert " onclick" not in page


def _topic(url, topic):
    return next(row for row in get(f"{url}/api/v1/streams")["topics"] if row["stream"]["topic"] == topic)


def get(url, **query):
    answer = requests.get(url, params=query, timeout=15)
    assert answer.status_code == 200, answer.text[:500]
    return answer.json()
