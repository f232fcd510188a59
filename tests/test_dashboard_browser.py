"""The dashboard as a person sees it: a real Chromium, a real Redis with a busy fleet in it."""

import re

import pytest
import requests
from playwright.sync_api import expect

from tests.browser_kit import chromium, needs_chromium, visits
from tests.monitoring_fixtures import busy_stage, dashboard, free_port, redis_server, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    needs_chromium,
]
EXPECTED_WHEN_AWAY = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING")


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with busy_stage(tmp_path_factory.mktemp("redis")) as (stage, port):
        yield stage, port


@pytest.fixture(scope="module")
def url(stage, tmp_path_factory):
    with dashboard(tmp_path_factory.mktemp("dashboard"), stage[1]) as url:
        yield url


@pytest.fixture
def visit(browser):
    with visits(browser, EXPECTED_WHEN_AWAY) as open_page:
        yield open_page


def test_figures_are_those_in_redis(visit, url, stage):
    page = visit(url)
    stage[0].halt()
    offsets = stage[0].fleet.offsets
    books = sum(offset for key, offset in offsets.items() if "books" in key)
    entries = stage[0].call(stage[0].redis.xlen("stream:quotes"))

    expect(figure(page, "stream-books", "records")).to_have_text(grouped(books))
    expect(figure(page, "stream-quotes", "records")).to_have_text(grouped(offsets["stream:quotes"]))
    expect(figure(page, "stream-quotes", "entries")).to_have_text(grouped(entries))
    expect(figure(page, "group-clickhouse_writer-books", "records")).to_have_text("120")
    expect(figure(page, "group-trade_processor-order_events", "records")).to_have_text("0")
    expect(page.locator("#row-cursor-state-polymarket_offset .value")).to_have_text("81200")
    expect(page.locator("#wanted-tokens")).to_have_text("3")
    expect(page.locator("#dead-letters")).to_contain_text("2")
    stage[0].go()


def test_a_change_arrives_by_itself(visit, url, stage):
    page = visit(url)
    expect(page.locator("#link")).to_have_text("live")
    before = page.locator("#events li").count()
    stage[0].call(stage[0].fleet.event("disconnected", symbol="", detail="the cable was pulled"))

    expect(page.locator("#events li")).to_have_count(before + 1)
    expect(page.locator("#events li").first).to_contain_text("the cable was pulled")


def test_a_paused_page_stands_still_and_catches_up(visit, url, stage):
    page = visit(url)
    expect(page.locator("#link")).to_have_text("live")
    page.keyboard.press("p")
    expect(page.locator("#link")).to_have_text("paused")
    stage[0].call(stage[0].fleet.event("stale", symbol="", detail="said while paused"))
    page.wait_for_timeout(1500)  # longer than a reading takes to arrive
    assert 0 == page.get_by_text("said while paused").count()

    page.get_by_role("button", name="Resume").click()

    expect(page.get_by_text("said while paused")).to_be_visible()


def test_selected_text_survives_updates(visit, url):
    page = visit(url)
    page.evaluate(
        "getSelection().selectAllChildren(document.querySelector('#row-cursor-state-polymarket_offset .value'))"
    )
    rate = figure(page, "stream-quotes", "records")
    before = rate.inner_text()
    expect(rate).not_to_have_text(before)

    assert "81200" == page.evaluate("getSelection().toString()")


def test_the_map_joins_what_flows(visit, url):
    page = visit(url, viewport={"width": 1280, "height": 900})

    expect(page.locator("#ingester-binance_ingester")).to_contain_text("frames/s")
    expect(page.locator("#ingester-upstox_ingester")).to_contain_text("set UPSTOX_ACCESS_TOKEN")
    expect(page.locator(".wires path.derived")).to_have_count(1)
    assert page.locator("#map .wires path").count() >= 15


@pytest.mark.parametrize("width", [360, 768, 1280, 2560])
def test_no_width_needs_sideways_scrolling(visit, url, width):
    page = visit(url, viewport={"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [] == page.evaluate(
        "[...document.querySelectorAll('.panel table')]"
        ".filter(t => t.getBoundingClientRect().right > t.closest('.panel').getBoundingClientRect().right)"
        ".map(t => t.closest('.panel').id)"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_stands_out_from_its_ground(visit, url, scheme):
    page = visit(url, color_scheme=scheme, viewport={"width": 1280, "height": 900})

    assert [] == page.evaluate(FAINT_WORDS)


def test_the_theme_is_kept(visit, url):
    page = visit(url, color_scheme="light")
    page.get_by_role("button", name="Dark").click()
    page.reload()

    expect(page.get_by_role("button", name="Light")).to_be_visible()
    assert "dark" == page.evaluate("document.documentElement.dataset.theme")


def test_it_is_readable_without_scripts(visit, url):
    page = visit(url, java_script_enabled=False)

    expect(page.locator("#groups")).to_contain_text("clickhouse_writer")
    expect(page.locator("#row-disabled-upstox_ingester")).to_contain_text("set UPSTOX_ACCESS_TOKEN in .env")
    expect(page.locator("#pause")).to_be_hidden()


def test_the_documentation_works_without_the_internet(visit, url):
    page = visit(f"{url}/docs")

    expect(page.get_by_text("/api/v1/overview")).to_be_visible()


def test_redis_going_and_coming_back_is_told(visit, tmp_path):
    with busy_stage(tmp_path) as (stage, port), dashboard(tmp_path, port) as url:
        page = visit(url)
        expect(page.locator("#row-stream-quotes")).to_be_visible()
        stage.halt()
        stage.call(stage.redis.shutdown(nosave=True))

        alarm = page.locator(".alarm.down", has_text="redis")
        expect(alarm).to_contain_text("does not answer", timeout=10_000)
        expect(alarm).to_contain_text("supervisorctl restart redis")
        expect(page.locator("#streams.stale")).to_be_visible()  # the last figures stay, faded, with their age
        expect(page.locator("#streams .asof")).to_have_text(re.compile(r"as of \d.* ago"))

        assert [] == page.evaluate(FAINT_WORDS)

        with redis_server(tmp_path, port):
            expect(alarm).to_have_count(0, timeout=10_000)


@pytest.mark.clickhouse
def test_rows_are_those_in_clickhouse_until_it_goes(visit, fleet, tmp_path):
    address = f"http://127.0.0.1:{fleet.clickhouse_port}/"
    servers = {name: fleet.environment[name] for name in ("CLICKHOUSE_HOST", "CLICKHOUSE_PORT")}

    def insert(rows):
        columns = "venue, received_time, offset"
        sql = f"INSERT INTO tickfleet.quotes ({columns}) SELECT 'okx', now64(9), number FROM numbers({rows})"
        assert requests.post(address, data=sql, timeout=10).status_code == 200

    insert(1234)
    with dashboard(tmp_path, fleet.redis_port, **servers) as url:
        page = visit(url, viewport={"width": 1280, "height": 900})
        expect(figure(page, "table-quotes", "rows")).to_have_text(grouped(1234), timeout=10_000)
        insert(1000)
        expect(figure(page, "table-quotes", "rows")).to_have_text(grouped(2234), timeout=10_000)
        expect(page.locator("#tables")).to_contain_text("v_trades")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        assert "ok" == requests.get(f"{url}/readyz", timeout=5).json()["checks"]["schema"]

        fleet.end("clickhouse")
        expect(page.locator(".alarm.down", has_text="clickhouse")).to_contain_text("CLICKHOUSE_HOST", timeout=15_000)
        expect(page.locator("#tables.stale")).to_be_visible()
        expect(figure(page, "table-quotes", "rows")).to_have_text(grouped(2234))


def test_a_dashboard_that_went_away_is_told_and_found_again(visit, stage, tmp_path):
    with dashboard(tmp_path, stage[1]) as url:
        page = visit(url)
        expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#link")).to_contain_text("reconnecting", timeout=10_000)

    with dashboard(tmp_path, stage[1], DASHBOARD_PORT=url.rpartition(":")[2]) as again:
        assert again == url
        expect(page.locator("#link")).to_have_text("live", timeout=15_000)


def test_an_empty_fleet_explains_itself(visit, tmp_path):
    port = free_port()
    with redis_server(tmp_path, port), dashboard(tmp_path, port) as url:
        page = visit(url)

        expect(page.locator("#alarms")).to_contain_text("./start.sh")
        expect(page.locator("#groups")).to_contain_text("No group yet")
        expect(page.locator("#events")).to_contain_text("None in the stream")
        until(lambda: page.locator("#row-process-dashboard").count() == 1, "the dashboard shows itself")


def figure(page, row, label):
    return page.locator(f"#row-{row} td[data-label='{label}']")


def grouped(number):
    return f"{number:,}".replace(",", "\u202f")


# WCAG 2.2, 1.4.3: 4.5 to 1 for text; the ground is the nearest one painted behind it.
FAINT_WORDS = """
() => {
  const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255];
  };
  const seen = (element) => {
    let strength = 1;
    for (let at = element; at; at = at.parentElement) strength *= Number(getComputedStyle(at).opacity);
    const [colour, behind] = [rgba(getComputedStyle(element).color), ground(element)];
    return [0, 1, 2].map((part) => behind[part] + (colour[part] - behind[part]) * strength);
  };
  const faint = new Set();
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const element = words.currentNode.parentElement;
    if (!words.currentNode.nodeValue.trim() || element.closest('noscript, script, svg title')) continue;
    const [a, b] = [light(seen(element)), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.add(`${element.tagName}.${element.className} ${contrast.toFixed(2)}`);
  }
  return [...faint];
}
"""
