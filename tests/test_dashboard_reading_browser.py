"""How a person reads the dashboard, in Chromium: ranges, zones, keys, a pace of one's own, and a wall screen."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser_kit import chromium, needs_chromium, visits
from tests.monitoring_fixtures import busy_stage, dashboard

pytestmark = [pytest.mark.browser, pytest.mark.redis, needs_chromium]
PAGES = (
    "/",
    "/streams",
    "/groups",
    "/instruments",
    "/quality",
    "/dead-letters",
    "/venues",
    "/alerts",
    "/system",
    "/about",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with (
        busy_stage(tmp_path_factory.mktemp("redis")) as (_, port),
        dashboard(tmp_path_factory.mktemp("dashboard"), port) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser):
    with visits(browser) as open_page:
        yield open_page


def test_a_range_is_in_the_address_and_goes_along(visit, url):
    page = visit(f"{url}/groups?range=1h")
    expect(page.locator("#trend-lag_s-name")).to_have_text("Behind, seconds, 1h")
    page.keyboard.press("t")
    expect(page.locator("#range")).to_be_focused()
    page.locator("#range").select_option("6h")
    page.wait_for_url("**/groups?range=6h")
    page.get_by_role("navigation").get_by_role("link", name="Overview").click()

    page.wait_for_url("**/?range=6h")
    expect(page.locator("#range")).to_have_value("6h")


def test_first_steps_are_shown_until_they_were_seen(visit, url):
    page = visit(f"{url}/")
    expect(page.locator("#steps")).to_contain_text("Query it")
    page.locator("#steps").get_by_role("button", name="Seen").click()
    expect(page.locator("#steps")).to_be_hidden()
    page.reload()

    expect(page.locator("#map")).to_be_visible()
    expect(page.locator("#steps")).to_be_hidden()


@pytest.mark.parametrize(
    ("box", "there"),
    [
        ("#stream-quotes", "**/streams/quotes"),
        ("#ingester-binance_ingester", "**/venues#program-binance_ingester"),
        ("#group-clickhouse_writer", "**/groups#reader-clickhouse_writer"),
    ],
)
def test_a_box_of_the_map_leads_to_what_it_stands_for(visit, url, box, there):
    page = visit(f"{url}/")
    page.locator(box).get_by_role("link").click()

    page.wait_for_url(there)
    assert page.evaluate("!location.hash || document.getElementById(location.hash.slice(1)) !== null")


def test_what_is_remembered_is_drawn(visit, url):
    page = visit(f"{url}/")

    expect(page.locator("[data-trend] canvas")).to_have_count(3, timeout=30_000)
    expect(page.locator("[data-trend=in]")).to_contain_text("binance")


def test_times_are_told_in_utc_or_in_the_zone_of_the_reader(visit, url):
    page = visit(f"{url}/streams/quotes", timezone_id="Asia/Kolkata")
    page.get_by_role("button", name="Pause").click()
    shown = page.locator(".entries time").first
    utc = shown.inner_text()
    page.keyboard.press("z")
    expect(shown).not_to_have_text(utc)
    local = shown.inner_text()
    page.reload()

    assert 330 == (_minutes(local) - _minutes(utc)) % 1440
    expect(page.locator("#zone")).to_have_text("Local")


def _minutes(clock):
    hours, minutes, _ = clock.split(":")
    return int(hours) * 60 + int(minutes)


def test_the_pace_is_ones_own(visit, url):
    page = visit(f"{url}/streams")
    expect(page.locator("#link")).to_have_text("live")
    page.keyboard.press("r")
    page.locator("#refresh").select_option("30")

    expect(page.locator("#link")).to_have_text(re.compile(r"^\d+ s old$"))
    page.goto(f"{url}/groups")
    expect(page.locator("#refresh")).to_have_value("30")


def test_a_wall_screen_shows_figures_and_nothing_to_press(visit, url):
    page = visit(f"{url}/?kiosk=1")

    expect(page.locator("#status")).to_be_visible()
    expect(page.locator("#map")).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_hidden()
    expect(page.locator("#pause")).to_be_hidden()
    page.keyboard.press("k")
    expect(page.get_by_role("navigation")).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
def test_every_control_is_reached_and_seen_by_keyboard(visit, url, path):
    page = visit(url + path, viewport={"width": 1280, "height": 900})
    page.locator("nav a").first.wait_for()
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, select, summary')]"
        ".filter(e => e.checkVisibility() && !e.disabled && e.type !== 'hidden' && !e.closest('main')).length"
    )
    seen = set()
    for _ in range(wanted):
        page.keyboard.press("Tab")
        seen.add(tuple(page.evaluate(FOCUSED)))

    assert wanted == len(seen)
    assert [] == [name for name, is_seen in seen if not is_seen]


# Who has the focus, and whether that can be seen.
FOCUSED = """
() => {
  const at = document.activeElement, style = getComputedStyle(at);
  const all = [...document.querySelectorAll('*')];
  return [`${at.tagName} ${at.id} ${all.indexOf(at)}`, style.outlineStyle !== 'none' || at.className === 'skip'];
}
"""
