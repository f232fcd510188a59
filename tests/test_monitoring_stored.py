"""The pages that ask ClickHouse: what they show is what stands in the tables."""

import re

import pytest
import requests

from tests.monitoring_fixtures import dashboard, until
from tests.stored_kit import HOSTILE, get, servers_of, stored_fleet

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    with stored_fleet(tmp_path_factory.mktemp("stored")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def url(stored, tmp_path_factory):
    with dashboard(tmp_path_factory.mktemp("dashboard"), stored.redis_port, **servers_of(stored)) as url:
        yield url


def test_instruments_are_those_that_are_stored(url):
    view = get(f"{url}/api/v1/instruments")
    rows = {(row["venue"], row["symbol"]): row for row in view["rows"]}
    bitcoin, quoted = rows["binance", "BTCUSDT"], rows["alpaca", "BTC/USD"]

    assert {("binance", "BTCUSDT"), ("alpaca", "BTC/USD"), ("alpaca", HOSTILE)} == rows.keys()
    assert (149.0, 148.5, 149.5, 50) == tuple(bitcoin[n] for n in ("last_price", "bid", "ask", "trades_per_day"))
    assert (None, 99.5, 100.5) == tuple(quoted[name] for name in ("last_price", "bid", "ask"))
    assert (False, None) == (bitcoin["is_in_sync"], quoted["is_in_sync"])


def test_a_search_for_instruments_is_made_on_the_server(url):
    view = get(f"{url}/api/v1/instruments", q="btc ALPACA")

    assert (["BTC/USD"], 3, 1) == ([row["symbol"] for row in view["rows"]], view["total"], view["fitting"])


def test_an_instrument_has_its_trades_its_book_and_its_gap(url):
    view = get(f"{url}/api/v1/i/binance/BTCUSDT", interval="1m")
    side = view["books"][0]

    assert (["148.5", "148"], ["1", "3.5"]) == (
        [rung["price"] for rung in side["bids"]],
        [rung["total"] for rung in side["bids"]],
    )
    assert [0.2, 0.7, 0.8, 1.0] == [rung["share"] for rung in (*side["bids"], *side["asks"])]
    assert ("149", "2", "49") == tuple(view["tape"][0][name] for name in ("price", "size", "trade_id"))
    assert 100.0 == sum(candle[5] for candle in view["candles"])
    assert ("down", True) == (view["sync"]["level"], view["sync"]["words"].startswith("out of sync for"))
    assert ["gap", "resync", "gap"] == [one["kind"] for one in view["incidents"]]


def test_candles_of_five_minutes_are_those_of_one_minute_together(url):
    minutes, fives = ([tuple(row) for row in _candles(url, interval)] for interval in ("1m", "5m"))

    assert {row[0] // 300 * 300 for row in minutes} == {row[0] for row in fives}
    assert (minutes[0][1], max(row[2] for row in minutes), min(row[3] for row in minutes), minutes[-1][4]) == (
        fives[0][1], max(row[2] for row in fives), min(row[3] for row in fives), fives[-1][4],
    )  # fmt: skip
    assert sum(row[5] for row in minutes) == sum(row[5] for row in fives)


def _candles(url, interval):
    return get(f"{url}/api/v1/i/binance/BTCUSDT", interval=interval)["candles"]


def test_candles_are_taken_along_as_a_table(url):
    page = requests.get(f"{url}/i/binance/BTCUSDT/export", params={"interval": "5m", "format": "csv"}, timeout=15)
    head, first, *_ = page.text.splitlines()

    assert "venue,symbol,interval,open_time_s,open,high,low,close,volume" == head
    assert first.startswith("binance,BTCUSDT,5m,")
    assert 'filename="instrument.csv"' in page.headers["content-disposition"]


def test_two_venues_are_compared_by_their_mids(url, stored):
    stored.command(
        "INSERT INTO book_stats (venue, symbol, event_time, received_time, source, mid, levels, shard, offset) SELECT "
        "'okx', 'BTC-USDT', event_time, received_time, 'maintained', mid / 1.001, 0, 0, offset + 1000 "
        "FROM book_stats WHERE venue = 'binance'"
    )
    view = get(f"{url}/api/v1/i/binance/BTCUSDT", beside="okx/BTC-USDT")["beside"]
    odd = get(f"{url}/api/v1/i/binance/BTCUSDT", beside="okx")
    none = get(f"{url}/api/v1/i/binance/BTCUSDT", beside="okx/NOPE")["beside"]

    assert 10.0 == pytest.approx(view["latest_bps"])
    assert {149.0} == {line[1] for line in view["lines"]}
    assert (None, True) == (odd["beside"], odd["complaint"].startswith("expected venue/symbol"))
    assert (None, "no book statistics of it over this time") == (none["latest_bps"], none["why"])


def test_a_symbol_with_a_slash_has_a_page(url):
    page = requests.get(f"{url}/i/alpaca/BTC%2FUSD", timeout=15)

    assert 200 == page.status_code
    assert "BTC/USD" in page.text
    assert "n/a" in page.text


def test_a_hostile_symbol_changes_nothing(url):
    pages = [
        requests.get(f"{url}{path}", timeout=15).text
        for path in (
            "/instruments",
            "/i/alpaca/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
            "/i/binance/BTCUSDT",
            "/quality",
            "/i/x/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        )
    ]

    assert not any("<script>alert" in page for page in pages)
    assert "alert(1)" in pages[0]


def test_an_instrument_that_is_none_is_not_there(url):
    assert 404 == requests.get(f"{url}/i/binance/NOPE", timeout=15).status_code
    assert 404 == requests.get(f"{url}/api/v1/i/binance/NOPE", timeout=15).status_code


def test_the_book_of_a_past_second_is_shown_or_it_is_said_why_not(url):
    view = get(f"{url}/api/v1/i/binance/BTCUSDT", at="2001-01-01 00:00:00")
    odd = get(f"{url}/api/v1/i/binance/BTCUSDT", at="yesterday")

    assert view["past"]["why"].startswith("not known")
    assert (None, True) == (odd["past"], odd["complaint"].startswith("expected a time"))


def test_quality_counts_what_was_told_and_stored(url):
    view = get(f"{url}/api/v1/quality", range="15m")
    row = next(one for one in view["venues"] if one["venue"] == "binance")

    assert (50, 2, 1, 3, 0) == tuple(row[n] for n in ("trades", "gaps", "resyncs", "backfilled_trades", "repeats"))
    assert 20.0 == row["delay_p50_ms"] == row["delay_p99_ms"]
    assert 0 < row["in_sync_pct"] < 100
    lane = next(one for one in view["timeline"]["lanes"] if one["symbol"] == "BTCUSDT")
    assert ["hollow", "hollow", "resync", "gap", "gap"] == [mark["kind"] for mark in lane["marks"]]


def test_the_hours_of_a_closed_market_are_hatched_and_told_in_words(url, stored):
    stored.command(
        "INSERT INTO feed_events (venue, symbol, channel, kind, from_time, to_time, received_time, shard, offset) "
        "SELECT 'alpaca', 'AAPL', 'trades', 'gap', now64(9), now64(9), now64(9), 0, 100"
    )
    page = requests.get(f"{url}/quality", params={"range": "7d"}, timeout=15).text
    lane = re.search(r'aria-label="1 incidents of alpaca AAPL(.*?)</li>', page, re.DOTALL)[1]

    assert lane.startswith("; market closed from ")  # in seven days there is a night and a weekend
    assert lane.count("<title>market closed") == lane.count('fill="url(#hatching)"') >= 4
    assert "US stocks at IEX: 08:00 to 17:00 in New York, Monday to Friday but on holidays" in page
    assert (
        "market closed" not in re.search(r'aria-label="[0-9]+ incidents of binance BTCUSDT.*?</li>', page, re.DOTALL)[0]
    )


def test_the_reckoning_comes_out_even_or_says_by_how_much(url, stored):
    def trades():
        return next(row for row in get(f"{url}/api/v1/quality")["balances"] if row["topic"] == "trades")

    even = trades()
    stored.redis.hset("group:{stream:trades}:clickhouse_writer", "position", "55")
    until(lambda: trades()["off"], "it does not come out even")
    short = trades()
    stored.redis.hset("group:{stream:trades}:clickhouse_writer", "position", "52")
    until(lambda: trades()["off"] == 0, "it comes out even again")

    sums = get(f"{url}/api/v1/quality")["reckoning"]

    assert (60, 50, 2, 8, 0) == tuple(even[n] for n in ("appended", "stored", "dead", "waiting", "off"))
    assert (60, 50, 2, 8, []) == tuple(sums[n] for n in ("appended", "stored", "dead", "waiting", "uneven"))
    assert -3 == short["off"]


def test_a_gap_that_is_mended_in_its_own_instant_is_over(url, stored):
    at = "toDateTime64(now(), 9)"
    stored.command(
        "INSERT INTO book_stats (venue, symbol, event_time, received_time, source, best_bid, best_ask, is_crossed, "
        f"shard, offset) SELECT 'okx', 'TIE-USDT', {at}, {at}, 'maintained', 1, 2, false, 0, 900"
    )
    stored.command(
        "INSERT INTO feed_events (venue, symbol, channel, kind, from_time, to_time, expected, found, detail, "
        f"received_time, shard, offset) SELECT 'okx', 'TIE-USDT', 'books', if(number = 1, 'resync', 'gap'), {at}, "
        f"{at}, '7', '9', '', {at}, 0, 900 + number FROM numbers(2)"
    )

    view = get(f"{url}/api/v1/i/okx/TIE-USDT")
    listed = get(f"{url}/api/v1/instruments", q="TIE-USDT")["rows"]
    assert (["resync", "gap"], "well") == ([one["kind"] for one in view["incidents"]], view["sync"]["level"])
    assert [True] == [row["is_in_sync"] for row in listed]
