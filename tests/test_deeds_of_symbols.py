"""What is recorded, chosen by hand: searched at the venue, added, pasted, brought back; each choice is remembered."""

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from monitoring.doing.connections import tried
from monitoring.doing.deeds import NotDone
from monitoring.doing.listings import Listed, Listings, matching
from monitoring.doing.symbols import Wanted, choosing, chosen, history, listed
from tests.deed_kit import WHO, ask, done, looked, settings_of

PROGRAM = "binance_ingester"


def choose(fleet, **wanted):
    return done(fleet, lambda redis: choosing(redis, settings_of(fleet), PROGRAM, Wanted(**wanted), WHO))


def now(fleet):
    return ask(fleet, lambda redis: chosen(redis, settings_of(fleet), PROGRAM))


@pytest.mark.redis
def test_a_choice_shows_what_it_changes_and_an_earlier_one_comes_back(redis_only):
    deed = looked(
        redis_only,
        lambda redis: choosing(
            redis, settings_of(redis_only), PROGRAM, Wanted(add=["SOLUSDT"], remove=["ETHUSDT"]), WHO
        ),
    )
    assert [("starts to record", "SOLUSDT"), ("no longer records", "ETHUSDT")] == list(deed.touches[:2])
    assert "./fleet symbols binance --add SOLUSDT --remove ETHUSDT" == deed.command
    assert ("BTCUSDT", "ETHUSDT") == now(redis_only).symbols

    choose(redis_only, add=["SOLUSDT"], remove=["ETHUSDT"])
    choose(redis_only, only=["XRPUSDT"])
    assert {"XRPUSDT"} == redis_only.redis.smembers("symbols:binance_ingester")
    before = ask(redis_only, lambda redis: history(redis, PROGRAM))
    assert [("XRPUSDT",), ("BTCUSDT", "SOLUSDT")] == [one.symbols for one in before]
    choose(redis_only, only=before[1].symbols)
    assert ("BTCUSDT", "SOLUSDT") == now(redis_only).symbols

    choose(redis_only, settings=True)
    assert (False, ("BTCUSDT", "ETHUSDT")) == (now(redis_only).is_chosen, now(redis_only).symbols)


@pytest.mark.redis
def test_an_ingester_is_never_left_without_a_symbol(redis_only):
    with pytest.raises(NotDone, match="records nothing"):
        choose(redis_only, remove=["BTCUSDT", "ETHUSDT"])
    with pytest.raises(NotDone, match="nothing would change"):
        choose(redis_only, add=["BTCUSDT"])

    assert not redis_only.redis.exists("symbols:binance_ingester")


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("BTCUSDT, ETHUSDT\r\nBTCUSDT\n\n", ["BTCUSDT", "ETHUSDT"]),
        ("symbol,program\nNSE_INDEX|Nifty 50,upstox_ingester\nBTC/USD,x\n", ["NSE_INDEX|Nifty 50", "BTC/USD"]),
        ("", []),
    ],
)
def test_a_pasted_list_or_a_csv_is_read(text, symbols):
    assert symbols == listed(text)


@pytest.mark.parametrize(
    "text", ["<script>", "a\x00b", "x" * 129, "'; DROP TABLE trades", "\n".join(map(str, range(10_001)))]
)
def test_what_cannot_be_a_symbol_is_refused(text):
    with pytest.raises(NotDone):
        listed(text)


def test_what_is_meant_most_probably_is_found_first():
    names = ("XBTCUSDT", "BTCUSDT", "BTCUSDC", "ETHBTC", "BTC-USDT")
    found = matching([Listed(name, "", "") for name in names], "btcusdt")

    assert ["BTCUSDT", "BTC-USDT", "XBTCUSDT"] == [one.symbol for one in found]


@pytest.fixture
def simulated(redis_only):
    redis_only.start_simulator("--demo")
    return redis_only


@pytest.mark.redis
def test_the_instruments_of_a_venue_are_searched_and_its_doors_tried(simulated):
    settings = settings_of(simulated)
    listings = Listings(settings)

    def found(program, text):
        def nowhere():
            raise AssertionError("ClickHouse is not asked for these")

        return [one.symbol for one in ask(simulated, lambda redis: listings.search(redis, nowhere, program, text))]

    assert "BTCUSDT" == found("binance_ingester", "btcusdt")[0]
    assert "BTC-USDT" == found("okx_ingester", "btc")[0]
    assert (["SPY"], ["BTC/USD"]) == (found("alpaca_stocks_ingester", "spy"), found("alpaca_crypto_ingester", "btcusd"))
    with pytest.raises(NotDone, match="lists no instruments that could be searched: paste the symbols"):
        found("goldsky_ingester", "spy")
    with pytest.raises(NotDone, match="ALPACA_API_KEY or ALPACA_SECRET_KEY is not set"):
        Listings(settings.model_copy(update={"alpaca_api_key": None})).source_or_why("alpaca_stocks_ingester")
    assert [True, True] == [one.is_well for one in ask(simulated, lambda _: tried(settings, "binance_ingester"))]
    assert [True, True] == [one.is_well for one in ask(simulated, lambda _: tried(settings, "okx_ingester"))]
    simulated.end("simulator")
    assert "BTCUSDT" == found("binance_ingester", "btcusdt")[0]  # kept
    shut = ask(simulated, lambda _: tried(settings, "binance_ingester"))
    assert [(False, "refuses the connection")] * 2 == [(one.is_well, one.words) for one in shut]


@contextmanager
def served(body):
    """Serve one body over HTTP."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/complete.json.gz"
        server.shutdown()


@pytest.mark.redis
def test_a_packed_list_of_instruments_is_read(redis_only):
    rows = [
        {"instrument_key": "NSE_EQ|INE002A01018", "trading_symbol": "RELIANCE", "name": "RELIANCE", "segment": "NSE_EQ"}
    ]
    packed = gzip.compress(json.dumps(rows).encode())
    with served(packed) as url:
        redis_only.environment["UPSTOX_INSTRUMENTS_URL"] = url
        listings = Listings(settings_of(redis_only))
        found = ask(redis_only, lambda redis: listings.search(redis, None, "upstox_ingester", "reliance"))

    assert ["NSE_EQ|INE002A01018"] == [one.symbol for one in found]


@pytest.mark.redis
def test_a_venue_that_wants_to_be_left_alone_is_not_asked(redis_only):
    redis_only.redis.set("ban:{binance}", "1", px=60_000)
    listings = Listings(settings_of(redis_only))

    with pytest.raises(NotDone, match="left alone"):
        ask(redis_only, lambda redis: listings.search(redis, None, "binance_ingester", "btc"))
