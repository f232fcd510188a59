"""The venues that are simulated."""

from urllib.parse import urlsplit

from simulator.capture import Capture, Event
from simulator.demo.alpaca import InventedMarket
from simulator.demo.binance import Exchange
from simulator.demo.clob import InventedClob
from simulator.demo.goldsky import InventedFills
from simulator.demo.okx import Exchange as InventedOkx
from simulator.demo.polygon import InventedChain
from simulator.demo.upstox import Exchange as TickExchange
from simulator.recorded import alpaca as recorded_alpaca
from simulator.recorded import binance as recorded_binance
from simulator.recorded import clob as recorded_clob
from simulator.recorded import goldsky as recorded_goldsky
from simulator.recorded import okx as recorded_okx
from simulator.recorded import polygon as recorded_polygon
from simulator.recorded.polymarket import recorded_markets
from simulator.recorded.upstox import Recording as RecordedTicks
from simulator.venue import Entry
from simulator.venues.alpaca import Alpaca
from simulator.venues.binance import Binance
from simulator.venues.clob import Clob
from simulator.venues.goldsky import Goldsky
from simulator.venues.okx import Okx
from simulator.venues.polygon import Polygon
from simulator.venues.polymarket import Polymarket, Recording
from simulator.venues.upstox import Upstox


def _is_gamma(capture: Capture, event: Event) -> bool:
    url = urlsplit(capture.address(event))
    is_other_host = (url.hostname or "").startswith(("clob.", "data-api.", "ws-"))
    return not capture.is_socket(event) and not is_other_host and f"{url.path}/".startswith("/markets/")


VENUES = (
    Entry(
        name="binance",
        recorded_as="binance",
        has_socket=True,
        enabled_setting="BINANCE_ENABLED",
        claims=lambda _capture, _event: True,
        demo=lambda world, shell: Binance(Exchange(world.chance("binance"), shell.clock("binance")), shell),
        replay=lambda session, shell: Binance(recorded_binance.Recording(session), shell),
    ),
    Entry(
        name="polymarket",
        recorded_as="polymarket",
        has_socket=False,
        enabled_setting="POLYMARKET_ENABLED",
        claims=_is_gamma,
        demo=lambda world, shell: Polymarket(world.markets, shell),
        replay=lambda session, shell: Polymarket(Recording(recorded_markets(session)), shell),
    ),
    Entry(
        name="polymarket_clob",
        recorded_as="polymarket",
        has_socket=True,
        enabled_setting="POLYMARKET_CLOB_ENABLED",
        claims=lambda _capture, _event: True,  # all that Gamma, asked first, does not claim
        demo=lambda world, shell: Clob(
            InventedClob(
                world.chance("clob"),
                world.markets,
                shell.limits.clob_snapshot_assets,
                shell.clock("polymarket_clob"),
            ),
            shell,
        ),
        replay=lambda session, shell: Clob(recorded_clob.Recording(session), shell),
    ),
    Entry(
        name="goldsky",
        recorded_as="goldsky",
        has_socket=False,
        enabled_setting="GOLDSKY_ENABLED",
        claims=lambda _capture, _event: True,
        demo=lambda world, shell: Goldsky(
            InventedFills(world.chance("goldsky"), world.markets, shell.clock("goldsky")), shell
        ),
        replay=lambda session, shell: Goldsky(recorded_goldsky.Recording(session), shell),
    ),
    Entry(
        name="polygon",
        recorded_as="polygon",
        has_socket=False,
        enabled_setting="POLYGON_ENABLED",
        claims=lambda _capture, _event: True,
        demo=lambda world, shell: Polygon(
            InventedChain(world.chance("polygon"), world.markets, shell.clock("polygon")), shell
        ),
        replay=lambda session, shell: Polygon(recorded_polygon.Recording(session), shell),
    ),
    Entry(
        name="okx",
        recorded_as="okx",
        has_socket=True,
        enabled_setting="OKX_ENABLED",
        claims=lambda _capture, _event: True,
        demo=lambda world, shell: Okx(InventedOkx(world.chance("okx"), shell.clock("okx")), shell),
        replay=lambda session, shell: Okx(recorded_okx.Recording(session), shell),
    ),
    Entry(
        name="alpaca",
        recorded_as="alpaca",
        has_socket=True,
        enabled_setting="ALPACA_STOCKS_ENABLED",
        claims=lambda _capture, _event: True,
        demo=lambda world, shell: Alpaca(InventedMarket(world.chance("alpaca"), shell.clock("alpaca")), shell),
        replay=lambda session, shell: Alpaca(recorded_alpaca.Recording(session), shell),
    ),
    Entry(
        name="upstox",
        recorded_as="upstox",
        has_socket=True,
        enabled_setting="UPSTOX_ENABLED",
        claims=lambda _capture, _event: True,
        demo=lambda world, shell: Upstox(TickExchange(world.chance("upstox"), shell.clock("upstox")), shell),
        replay=lambda session, shell: Upstox(RecordedTicks(session), shell),
    ),
)

# They would be dialled on the internet otherwise, in the middle of a demo.
NOT_SIMULATED = (
    "ALPACA_CRYPTO_ENABLED",  # until its one simulator, that of the stocks, says that it has coins
)
