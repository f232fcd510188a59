"""What machines and browsers without scripts get from the dashboard, with a busy fleet, and with servers away."""

import re
import shutil
import subprocess
import sys

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from monitoring.assets import assets_of
from tests.monitoring_fixtures import ROOT, busy_stage, dashboard, free_port, until

pytestmark = pytest.mark.redis
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with busy_stage(tmp_path_factory.mktemp("redis")) as (stage, port):
        yield stage, port


@pytest.fixture(scope="module")
def url(stage, tmp_path_factory):
    with dashboard(tmp_path_factory.mktemp("dashboard"), stage[1]) as url:
        yield url


@pytest.fixture(scope="module")
def lonely(tmp_path_factory):
    """A dashboard whose Redis and ClickHouse are both away."""
    with dashboard(tmp_path_factory.mktemp("lonely"), free_port()) as url:
        yield url


def test_the_overview_tells_what_stands_in_redis(url, stage):
    fleet = stage[0].fleet
    view = get_json(f"{url}/api/v1/overview")
    streams, groups = by(view["streams"], "topic"), {(g["name"], g["topic"]): g for g in view["groups"]}

    assert (4, "stream:{books:0…3}") == (streams["books"]["shards"], streams["books"]["key"])
    assert 2 == view["dead_letters_total"] == fleet.offsets["stream:dead_letters"]
    assert 3 == view["wanted_tokens"]
    assert (0, 0.0) == (
        groups["trade_processor", "order_events"]["lag_records"],
        groups["clickhouse_writer", "bars"]["lag_s"],
    )
    assert ["resync", "gap", "connected"] == [event["kind"] for event in view["events"]]
    assert "demo" == view["mode"]


def test_a_group_that_is_behind_tells_records_and_seconds(url):
    def books():
        groups = {(g["name"], g["topic"]): g for g in get_json(f"{url}/api/v1/overview")["groups"]}
        return groups["clickhouse_writer", "books"]

    until(lambda: books()["lag_records"] >= 120, "the writer is 30 records behind on each shard of books")

    assert 0 < books()["lag_s"] < 5


def test_rates_come_from_differences(url):
    def rate():
        return by(get_json(f"{url}/api/v1/overview")["streams"], "topic")["quotes"]["records_per_s"] or 0

    until(lambda: 150 < rate() < 290, "quotes flow at about 220 a second")


def test_every_program_is_there_and_a_disabled_one_says_why(url):
    programs = {"binance_ingester", "goldsky_ingester", "trade_processor", "clickhouse_writer", "dashboard"}
    until(lambda: programs <= by(get_json(f"{url}/api/v1/overview")["processes"], "name").keys(), "all are seen")
    disabled = by(get_json(f"{url}/api/v1/overview")["disabled"], "program")

    assert "set UPSTOX_ACCESS_TOKEN in .env" == disabled["upstox_ingester"]["why"]


def test_a_cursor_that_is_a_time_has_an_age(url):
    cursor = by(get_json(f"{url}/api/v1/overview")["cursors"], "name")["state:goldsky_last_timestamp"]

    assert 839 < cursor["age_s"] < 900


def test_the_page_is_readable_without_scripts(url):
    page = requests.get(url, timeout=5).text

    assert all(word in page for word in ("clickhouse_writer", "stream:{books:0…3}", "set UPSTOX_ACCESS_TOKEN in .env"))
    assert "Database" not in page
    assert "<script>" not in page
    assert " style=" not in page


def test_nothing_may_be_loaded_from_elsewhere(url):
    policy = requests.get(url, timeout=5).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_metrics_are_what_prometheus_can_read(url):
    families = {f.name: f for f in text_string_to_metric_families(requests.get(f"{url}/metrics", timeout=5).text)}
    books = [s.value for s in families["tickfleet_stream_records"].samples if s.labels == {"stream": "books"}]
    rows = [s for s in families["tickfleet_clickhouse_rows_inserted"].samples if s.labels["table"] == "trades"]

    assert books
    assert books[0] > 0
    assert {"trade_processor", "clickhouse_writer"} == {sample.labels["program"] for sample in rows}
    assert "tickfleet_consumer_lag_seconds" in families
    assert {"redis": 1.0, "clickhouse": 0.0} == {
        sample.labels["server"]: sample.value for sample in families["tickfleet_server_up"].samples
    }


def test_no_metric_is_told_twice(url):
    lines = requests.get(f"{url}/metrics", timeout=5).text.splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]

    assert len(names) == len(set(names))


def test_scripts_of_the_ancestor_find_what_they_know(url):
    status = get_json(f"{url}/api/status")

    assert {"markets", "order_events", "trades"} <= status["redis_streams"].keys()
    assert "81200" == status["state"]["polymarket_offset"]
    assert status["clickhouse"] is None
    assert "ok" == get_json(f"{url}/health")["redis"]


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/api/v1/overview"])
def test_the_head_of_an_answer_is_given_alone(url, path):
    answer = requests.head(f"{url}{path}", timeout=5)

    assert (200, b"", True) == (answer.status_code, answer.content, int(answer.headers["content-length"]) > 0)
    assert 405 == requests.head(f"{url}/live/overview", timeout=5).status_code


def test_without_clickhouse_the_page_stands_and_says_what_to_do(url):
    page, ready = requests.get(url, timeout=5), requests.get(f"{url}/readyz", timeout=5)

    assert (200, 503) == (page.status_code, ready.status_code)
    assert "does not answer: connection refused" in page.text
    assert "supervisorctl restart clickhouse" in page.text
    assert "does not answer: connection refused" in ready.json()["checks"]["clickhouse"]
    assert "ok" == ready.json()["checks"]["redis"]


def test_without_redis_the_page_stands_and_says_what_to_do(lonely):
    page = requests.get(lonely, timeout=5)

    assert 200 == page.status_code
    assert "does not answer" in page.text
    assert "supervisorctl restart redis" in page.text


def test_without_redis_a_venue_is_not_said_to_have_chosen_nothing(lonely):
    page = requests.get(f"{lonely}/venues/symbols", params={"program": "okx_ingester"}, timeout=5).text

    assert 'role="alert">■ n/a' in page
    assert "Nothing was chosen" not in page


def test_without_redis_it_lives_and_is_not_ready(lonely):
    ready = requests.get(f"{lonely}/readyz", timeout=5)

    assert 200 == requests.get(f"{lonely}/healthz", timeout=5).status_code
    assert 503 == ready.status_code
    assert "does not answer" in ready.json()["checks"]["redis"]
    assert "unhealthy" == get_json(f"{lonely}/health")["status"]


def test_without_redis_figures_are_not_known_rather_than_zero(lonely):
    view = get_json(f"{lonely}/api/v1/overview")

    assert (None, None, None) == (view["dead_letters_total"], view["wanted_tokens"], view["records_per_s"])
    assert 200 == requests.get(f"{lonely}/metrics", timeout=5).status_code
    assert "tickfleet_stream_length{" not in requests.get(f"{lonely}/metrics", timeout=5).text


def test_the_documentation_comes_from_this_machine(url):
    page = requests.get(f"{url}/docs", timeout=5).text

    assert "//" not in page.replace("<!doctype", "")
    assert "/api/v1/overview" in get_json(f"{url}/openapi.json")["paths"]


def test_every_vendored_file_is_the_one_that_is_written_down():
    folder = ROOT / "monitoring" / "static" / "vendor"
    lines = [line.split("|") for line in (folder / "VENDOR.md").read_text().splitlines() if line.startswith("| `")]
    written = "".join(f"{cells[5].strip(' `')}  {folder / cells[1].strip(' `')}\n" for cells in lines)

    assert {path.name for path in folder.iterdir() if path.suffix in (".js", ".css")} == {
        c[1].strip(" `") for c in lines
    }
    checked = subprocess.run(["sha256sum", "--check", "--quiet"], input=written, text=True, check=False)
    assert 0 == checked.returncode


def test_all_that_a_page_loads_is_there_and_is_kept_by_browsers(url):
    page = requests.get(url, timeout=5).text
    loaded = set(re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css|svg))"', page))
    answers = {address: requests.get(url + address, timeout=5) for address in loaded}

    assert dict.fromkeys(loaded, (200, "public, max-age=31536000, immutable")) == {
        address: (answer.status_code, answer.headers["cache-control"]) for address, answer in answers.items()
    }
    assert 1 == sum(address.endswith(".css") for address in loaded)
    assert ("no-cache", 404) == (
        requests.get(f"{url}/static/style.css", timeout=5).headers["cache-control"],
        requests.get(f"{url}/static/../app.py%2f..", timeout=5).status_code,
    )


def test_a_changed_file_has_a_new_address(tmp_path):
    shutil.copytree(ROOT / "monitoring" / "static", tmp_path / "static")
    before = assets_of(tmp_path / "static").address
    (tmp_path / "static" / "keys.js").write_text("// other")

    assert before != assets_of(tmp_path / "static").address


def test_a_foreign_name_is_refused_on_loopback(url):
    answer = requests.get(url, headers={"host": "evil.example"}, timeout=5)

    assert 421 == answer.status_code
    assert "DASHBOARD_PASSWORD" in answer.text


def test_with_a_password_everything_but_healthz_asks_for_it(tmp_path):
    with dashboard(tmp_path, free_port(), DASHBOARD_PASSWORD=PASSWORD) as url:
        asked = {path: requests.get(url + path, timeout=5).status_code for path in PATHS}
        wrong = requests.get(url, auth=("any", "wrong"), timeout=5)
        right = requests.get(url, auth=("any", PASSWORD), headers={"host": "fleet.example"}, timeout=5)

    assert dict.fromkeys(PATHS, 401) | {"/healthz": 200} == asked
    assert "basic" in wrong.headers["www-authenticate"].lower()
    assert (401, 200) == (wrong.status_code, right.status_code)


PATHS = (
    "/", "/api/v1/overview", "/live/overview", "/api/status", "/health", "/healthz", "/readyz", "/metrics", "/docs",
    "/openapi.json", "/about", "/static/style.css",
)  # fmt: skip


def test_a_port_in_use_is_refused_in_words_and_for_good(stage, url, tmp_path):
    environ = {"PYTHONPATH": str(ROOT), "REDIS_PORT": str(stage[1]), "DASHBOARD_PORT": url.rpartition(":")[2]}
    command = [sys.executable, "-m", "monitoring"]
    second = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=20, check=False)

    assert 2 == second.returncode
    assert (
        f"DASHBOARD_PORT={environ['DASHBOARD_PORT']} on 127.0.0.1 cannot be opened: Address already in use"
        in second.stdout
    )


def test_a_program_that_falls_silent_is_not_ready_and_keeps_its_last_words(stage, url):
    fleet, redis = stage[0].fleet, stage[0].redis

    async def fall_silent():
        await fleet.heartbeat(
            "polygon_ingester", "ingester", "polymarket", last_error="connection reset", last_error_ns=1
        )

    async def vanish():
        await redis.delete("proc:polygon_ingester")

    def row():
        return by(get_json(f"{url}/api/v1/overview")["processes"], "name").get("polygon_ingester", {"state": ""})

    stage[0].call(fall_silent())
    until(lambda: row()["state"] == "running", "the dashboard has seen it")
    stage[0].call(vanish())
    until(lambda: row()["verdict"]["level"] in ("slow", "down"), "its heartbeat is old")

    assert "connection reset" == row()["last_error"]


def test_what_strangers_wrote_blinds_nobody(stage, url):
    fleet, redis = stage[0].fleet, stage[0].redis

    async def scribble():
        await redis.hset("state:mine", "a", "b")
        await redis.set("proc:mine", "not a hash")
        await redis.xgroup_create("stream:quotes", "a_strangers_group", id="$")
        await redis.xadd("stream:feed_events", {"o": "abc", "hello": "world"})
        await fleet.event("resync", symbol="ETHUSDT", detail="after the scribbling")

    def view():
        return get_json(f"{url}/api/v1/overview")

    stage[0].call(scribble())
    until(lambda: view()["events"][0]["words"].startswith("after the scribbling"), "the page has seen it")
    groups = {(group["name"], group["topic"]): group for group in view()["groups"]}

    assert view()["servers"][0]["verdict"]["level"] == "well"
    assert groups["a_strangers_group", "quotes"]["lag_records"] is None
    assert groups["clickhouse_writer", "quotes"]["lag_records"] is not None


def get_json(address):
    return requests.get(address, timeout=5).json()


def by(rows, name):
    return {row[name]: row for row in rows}
