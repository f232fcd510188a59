"""What people do from the pages, in Chromium, on a small fleet at work under a Supervisor: each does what it says."""

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from common.redis_streams import Shard
from common.streams import DEAD_LETTERS, TRADES
from monitoring.supervised import supervised
from tests.deed_kit import place
from tests.fleet_harness import PYTHON, ROOT, Fleet, wait_for
from tests.monitoring_fixtures import dashboard
from tests.supervisor_kit import supervisor
from tests.test_dashboard_browser import FAINT_WORDS

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.clickhouse,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]
SHARD, WRITER = Shard(TRADES, 0, 1), "clickhouse_writer"
PROGRAM = """
[program:{name}]
command={python} -m {package} {name}
directory={root}
environment={environment}
redirect_stderr=true
stdout_logfile={{folder}}/{name}.log
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Both servers, one simulated venue, and its ingester and the writer under a Supervisor."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    folder = tmp_path_factory.mktemp("fleet")
    with Fleet(folder) as fleet:
        fleet.start_servers()
        fleet.start_simulator("--demo")
        fleet.environment["BINANCE_SYMBOLS"] = "BTCUSDT"
        environment = {key: value for key, value in fleet.environment.items() if key.startswith(("CLICK", "BINANCE"))}
        folder = tmp_path_factory.mktemp("dashboard")
        with (
            supervisor(_programs(fleet.environment)) as address,
            dashboard(folder, fleet.redis_port, SUPERVISOR_SERVER_URL=address, **environment) as url,
        ):
            wait_for(lambda: fleet.sql("SELECT count() > 0 FROM trades"), expected=[(1,)], what="the first trades")
            yield fleet, address, url


def _programs(settings):
    environment = ",".join(f'{name}="{value.replace("%", "%%")}"' for name, value in settings.items())
    programs = (("clickhouse_writer", "processors"), ("binance_ingester", "ingesters"))
    return "".join(
        PROGRAM.format(name=name, package=package, python=PYTHON, root=ROOT, environment=environment)
        for name, package in programs
    )


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(browser, request):
    """A page that must not complain; half of the time no script may run in it."""
    context = browser.new_context(java_script_enabled=request.param)
    page, complaints = context.new_page(), []
    page.set_default_timeout(20_000)
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else 0)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert [] == complaints


@pytest.fixture(autouse=True)
def _as_before(house):
    """Leave nothing paused, chosen or muted for the next test."""
    yield
    house[0].redis.delete(f"paused:{WRITER}", "symbols:binance_ingester", "alerts:muted")


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def is_done(page):
    expect(page.get_by_role("status").filter(has_text="done")).to_be_visible()


def of_group(page, url, words):
    page.goto(f"{url}/groups")
    page.locator("#group-clickhouse_writer-trades .sub").get_by_role("link", name=words).click()


def test_a_group_is_paused_set_back_and_resumed_and_every_trade_stands_once(page, house):
    fleet, _, url = house
    of_group(page, url, "Pause…")
    expect(page.locator("#command")).to_contain_text("./fleet pause clickhouse_writer --topic trades")
    press(page, "Pause")
    is_done(page)
    wait_for(lambda: fleet.redis.hget(SHARD.group(WRITER), "owner"), expected=None, what="it rests")
    page.goto(f"{url}/groups")
    expect(page.locator("#group-clickhouse_writer-trades .sub [data-label=state]")).to_contain_text(
        "paused by hand", timeout=30_000
    )  # without scripts a page is loaded again after some seconds

    before = place(fleet, SHARD, WRITER)
    of_group(page, url, "Reset…")
    page.get_by_label("Where to").fill("-20")
    press(page, "Look what it would do")
    expect(page.locator("main .pairs")).to_contain_text("20 records are read again")
    page.get_by_label("Type").fill(WRITER)
    press(page, "Reset")
    is_done(page)
    assert before - 20 == place(fleet, SHARD, WRITER)

    of_group(page, url, "Resume…")
    press(page, "Resume")
    is_done(page)
    wait_for(lambda: place(fleet, SHARD, WRITER) > before, what="it has read on")
    found = fleet.sql("SELECT count() - uniqExact(offset), max(offset) + 1 - count() FROM trades")
    assert [(0, 0)] == found


def test_a_symbol_is_searched_and_recorded_without_a_restart_and_the_choice_is_taken_back(page, house):
    fleet, address, url = house
    pid = supervised(address)["binance_ingester"].pid
    page.goto(f"{url}/venues")
    page.locator("#program-binance_ingester").get_by_role("link", name="Symbols…").click()
    page.get_by_label("Symbol or name").fill("sol")
    press(page, "Search")
    page.get_by_label("SOLUSDT").check()
    press(page, "Record these…")
    expect(page.locator("main .pairs")).to_contain_text("SOLUSDT")
    rows = fleet.sql("SELECT count() FROM trades WHERE symbol = 'SOLUSDT'")[0][0]
    press(page, "Save")
    is_done(page)
    more = lambda: fleet.sql("SELECT count() FROM trades WHERE symbol = 'SOLUSDT'")[0][0] > rows  # noqa: E731
    wait_for(more, what="its trades are stored")
    assert pid == supervised(address)["binance_ingester"].pid

    page.goto(f"{url}/venues/symbols?program=binance_ingester")
    page.get_by_role("link", name="Back to the settings…").click()
    press(page, "Save")
    is_done(page)
    assert set() == fleet.redis.smembers("symbols:binance_ingester")


def test_a_program_is_started_again_and_its_log_is_shown(page, house):
    _, address, url = house
    pid = supervised(address)["binance_ingester"].pid
    page.goto(f"{url}/system")
    page.locator("#system-binance_ingester").get_by_role("link", name="Restart…").click()
    press(page, "Restart")
    is_done(page)
    assert pid != supervised(address)["binance_ingester"].pid

    page.goto(f"{url}/system")
    page.locator("#system-binance_ingester").get_by_role("link", name="Log…").click()
    expect(page.locator(".log")).to_contain_text("program.started")


def test_an_alert_is_muted_and_heard_again(page, house):
    fleet, _, url = house
    page.goto(f"{url}/alerts")
    page.locator("#rule-disk").get_by_role("link", name="Mute…").click()
    page.get_by_label("For how long").select_option("8h")
    press(page, "Look what it would do")
    press(page, "Mute")
    is_done(page)
    page.goto(f"{url}/alerts")
    expect(page.locator("#rule-disk")).to_contain_text("quiet for", timeout=30_000)
    page.locator("#rule-disk").get_by_role("link", name="Hear again…").click()
    press(page, "Mute")
    is_done(page)
    assert {} == fleet.redis.hgetall("alerts:muted")


def test_a_dead_letter_is_mended_and_what_was_done_stands_with_who_did_it(page, house):
    fleet, _, url = house
    letters = int(fleet.redis.hget(Shard(DEAD_LETTERS, 0, 1).facts, "offset") or 0)
    offset = int(fleet.redis.hget("shard:{stream:statuses}", "offset") or 0)
    fleet.redis.hset("topics", "statuses", "1")
    fleet.redis.xadd("stream:statuses", {"o": offset, "n": 1, "data": f'{{"venue":"letter {letters}"}}'})
    fleet.redis.hset("shard:{stream:statuses}", "offset", offset + 1)
    count = lambda: int(fleet.redis.hget(Shard(DEAD_LETTERS, 0, 1).facts, "offset") or 0)  # noqa: E731
    wait_for(count, expected=letters + 1, what="a dead letter")
    page.goto(f"{url}/dead-letters")
    # Its list may be some seconds old; without scripts it is loaded again.
    page.locator("#letters tbody tr").filter(has_text=f"letter {letters}").get_by_role("link").first.click()
    page.get_by_role("link", name="Mend…").click()
    whole = '{"venue":"binance","symbol":"X","received_ns":1,"kind":"trading","status":"open"}'
    page.get_by_label("What is put back").fill(whole)
    press(page, "Look what it would do")
    press(page, "Redrive it so")
    is_done(page)
    stored = "SELECT count() > 0 FROM statuses WHERE symbol = 'X' AND offset > {}"
    wait_for(lambda: fleet.sql(stored.format(offset)), expected=[(1,)], what="the mended record")

    page.goto(f"{url}/actions")
    row = page.locator("#rows tbody tr").first
    expect(row).to_contain_text("local")
    expect(row).to_contain_text("mend")
    wait_for(lambda: fleet.sql("SELECT action FROM actions ORDER BY offset DESC LIMIT 1"), expected=[("mend",)])


PAGES = (
    "/actions", "/do/reset?group=clickhouse_writer&topic=trades&to=-5", "/do/list?program=binance_ingester",
    "/do/stop?program=binance_ingester", "/venues/symbols?program=binance_ingester&search=btc&try=yes",
    "/system/log?program=clickhouse_writer", "/done/1", "/done/99",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_actions_fits_both_schemes_and_a_telephone(browser, house, path):
    context = browser.new_context()
    page = context.new_page()
    page.goto(house[2] + path)
    for scheme, width in (("light", 1280), ("dark", 360)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [] == page.evaluate(FAINT_WORDS)
    context.close()
