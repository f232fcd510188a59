"""A walk over every page of a small fleet at work, in Chromium: nothing complains, nothing leaves the machine."""

import os
import re
import shutil

import pytest
import requests
from playwright.sync_api import expect

from tests.browser_kit import AXE_TAGS, CONTRAST, chromium, faults, needs_chromium, visits
from tests.fleet_harness import Fleet
from tests.monitoring_fixtures import dashboard, until
from tests.test_dashboard_browser import FAINT_WORDS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.clickhouse,
    needs_chromium,
]
PAGES = {
    "/streams": "s",
    "/groups": "g",
    "/instruments": "i",
    "/quality": "q",
    "/sql": "l",
    "/dead-letters": "d",
    "/venues": "v",
    "/alerts": "a",
    "/system": "y",
}
BEHIND = ("/streams/books", "/streams/trades?where=symbol=BTCUSDT", "/i/binance/BTCUSDT", "/dead-letters?id=nothing")
VENUES = ("BINANCE",)  # one venue is enough to fill every page, and leaves room for the browser
SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a folder for pictures of every page, for eyes


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A dashboard over one venue of the simulator, its ingester, its processors and both servers."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    folder = tmp_path_factory.mktemp("fleet")
    with Fleet(folder) as fleet:
        fleet.start_servers()
        fleet.start_simulator("--demo")
        for name in [name for name in fleet.environment if name.endswith("_ENABLED")]:
            fleet.environment[name] = str(name.removesuffix("_ENABLED") in VENUES).lower()
        fleet.start_fleet("trade_processor", "book_processor")
        environment = {name: value for name, value in fleet.environment.items() if name.startswith("CLICKHOUSE_")}
        with dashboard(tmp_path_factory.mktemp("dashboard"), fleet.redis_port, **environment) as url:
            until(lambda: _is_stored(url), "the first rows stand", patience_s=180)
            yield url


def _is_stored(url):
    page = requests.get(f"{url}/api/v1/i/binance/BTCUSDT", timeout=15)
    return (
        page.status_code == 200 and page.json()["candles"] and page.json()["lately"] and page.json()["books"][0]["bids"]
    )


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser):
    with visits(browser) as open_page:
        yield open_page


@pytest.mark.parametrize("path", ["/", *PAGES, *BEHIND, "/about"])
def test_a_page_lives_in_both_schemes_and_on_a_telephone_without_a_fault_that_axe_knows(visit, url, path):
    page = visit(url + path)
    if path != "/about":
        expect(page.locator("#link")).to_have_text("live")
    for scheme, width, rules in (
        ("light", 1280, AXE_TAGS),
        ("dark", 1280, CONTRAST),
        ("light", 360, []),
        ("dark", 2560, []),
    ):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [] == (faults(page, rules) if rules else page.evaluate(FAINT_WORDS))
        if SCREENSHOTS:
            name = path.strip("/").replace("/", "-").replace("?", "-")
            page.screenshot(path=f"{SCREENSHOTS}/{name}-{scheme}-{width}.png", full_page=True)


@pytest.mark.parametrize("path", [*PAGES, *BEHIND])
def test_a_page_is_readable_without_scripts(visit, url, path):
    page = visit(url + path, java_script_enabled=False)

    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator("main .panel").first).to_be_visible()
    expect(page.locator("#pause")).to_be_hidden()


def test_keys_lead_to_every_page(visit, url):
    page = visit(url)
    for path, key in PAGES.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"{url}{path}")
        expect(page.locator("nav a[aria-current]")).to_have_attribute("data-key", key)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Instruments")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("/")
    page.wait_for_url(f"{url}/instruments#search")
    expect(page.locator("input[type=search]")).to_be_focused()


def test_a_letter_in_a_field_is_only_a_letter(visit, url):
    page = visit(f"{url}/instruments")
    page.locator("input[type=search]").press_sequentially("gs?p")

    expect(page.locator("input[type=search]")).to_have_value("gs?p")
    assert page.url == f"{url}/instruments"


def test_a_stream_grows_under_ones_eyes_and_an_open_entry_stays_open(visit, url):
    page = visit(f"{url}/streams/trades")
    expect(page.locator("#link")).to_have_text("live")
    first = page.locator(".entries > li").first.get_attribute("id")
    page.locator(f"#{first} summary").click()

    expect(page.locator(".entries > li").first).not_to_have_id(first)
    expect(page.locator(f"#{first} pre").first).to_be_visible()
    expect(page.locator(f"#{first} pre").first).to_contain_text('"symbol": ')


def test_an_instrument_is_drawn_and_moves(visit, url):
    page = visit(f"{url}/i/binance/BTCUSDT")
    expect(page.locator("#candles canvas").first).to_be_visible()
    expect(page.locator("#lately canvas")).to_be_visible()
    tape = page.locator("#tape li time").first
    before = tape.get_attribute("title")

    expect(tape).not_to_have_attribute("title", before)
    expect(page.locator(".depth .bids").first).to_be_visible()
    expect(page.get_by_role("link", name="TradingView Lightweight Charts")).to_be_visible()


def test_a_search_leads_to_an_instrument(visit, url):
    page = visit(f"{url}/instruments")
    page.locator("input[type=search]").fill("btcusdt")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#found tbody tr")).to_have_count(1)
    page.get_by_role("link", name="BTCUSDT").click()

    expect(page.locator("h1")).to_have_text("BTCUSDT")


def test_the_theme_changes_what_is_drawn(visit, url):
    page = visit(f"{url}/i/binance/BTCUSDT", color_scheme="light")
    expect(page.locator("#candles canvas").first).to_be_visible()
    page.get_by_role("button", name="Dark").click()

    expect(page.get_by_role("button", name="Light")).to_be_visible()
    expect(page.locator("#lately canvas")).to_have_count(1)


def test_the_book_slides_through_past_seconds(visit, url):
    page = visit(f"{url}/i/binance/BTCUSDT")
    page.locator("#past").get_by_role("button", name="a second back").click()

    expect(page.locator("#past .ladder, #past .none")).to_be_visible(timeout=30_000)
    expect(page.locator("#past input[name=at]")).to_have_value(re.compile(r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$"))
    assert "at=20" in page.url


def test_an_instrument_is_drawn_beside_another(visit, url):
    page = visit(f"{url}/i/binance/BTCUSDT?range=1h")
    page.get_by_label("venue/symbol").fill("binance/ETHUSDT")
    page.get_by_role("button", name="Compare").click()

    expect(page.locator("#beside h2")).to_contain_text("ETHUSDT of binance, 1h")
    expect(page.locator("#apart canvas")).to_have_count(1)


@pytest.mark.parametrize("with_scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_statement_is_run_and_read_also_on_a_telephone(visit, url, with_scripts):
    page = visit(f"{url}/sql?query=SELECT%201", java_script_enabled=with_scripts)
    page.get_by_label("One statement that reads").fill(
        "SELECT *, '<b>' AS bold, repeat('long ', 90) AS words FROM trades LIMIT 7"
    )
    page.get_by_role("button", name="Run", exact=True).click()

    expect(page.get_by_role("heading", name="7 rows")).to_be_visible()
    expect(page.get_by_role("region", name="Result").get_by_role("row")).to_have_count(8)
    expect(page.get_by_role("columnheader", name="venue LowCardinality(String)")).to_be_visible()
    expect(page.get_by_role("cell", name="<b>").first).to_be_visible()
    expect(page.get_by_label("One statement that reads")).to_have_value(re.compile(r"LIMIT 7$"))
    if with_scripts:
        _is_fit_for_all(page, "sql-result")


def _is_fit_for_all(page, name):
    for scheme, width in (("light", 1280), ("dark", 360)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        if SCREENSHOTS:
            page.screenshot(path=f"{SCREENSHOTS}/{name}-{scheme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [] == faults(page)
