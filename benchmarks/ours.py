"""Our own path: the real ingester, Redis, the real writer, ClickHouse."""

import contextlib
from collections.abc import Iterator

from benchmarks.house import House, Source, source, wait_for
from benchmarks.measure import Figures, Path, carry, measure
from benchmarks.trades import SYMBOLS

WRITER = "group:{stream:trades}:clickhouse_writer"  # its `position` moves on only after the rows stand


def _is_done(house: House, expected: int) -> bool:
    return int(house.redis.hget(WRITER, "position") or 0) >= expected


PATH = Path("tickfleet", ("binance_ingester", "redis", "clickhouse_writer", "clickhouse"), "trades", _is_done, digits=7)
WARM_UP = 5_000


@contextlib.contextmanager
def running() -> Iterator[tuple[House, Source]]:
    """Run the path, and return when the ingester has connected and asked for its books."""
    with source() as venue, House() as house:
        house.start_servers()
        house.environment |= settings(venue)
        house.start("clickhouse_writer", "processors", "clickhouse_writer")
        house.start("binance_ingester", "ingesters", "binance_ingester")
        venue.answer()
        wait_for(lambda: int(house.redis.hget("topics", "trades") or 0) == 1, "the ingester")
        wait_for(lambda: bool(house.redis.hget(WRITER, "owner")), "the writer")
        yield house, venue


def settings(venue: Source) -> dict[str, str]:
    """Return what leads the ingester to the source."""
    return {
        "BINANCE_WS_URL": f"ws://127.0.0.1:{venue.port}",
        "BINANCE_REST_URL": f"http://127.0.0.1:{venue.port}",
        "BINANCE_SYMBOLS": ",".join(SYMBOLS),
        "BINANCE_MUTE_S": "86400",
    }


def warm(house: House, venue: Source) -> None:
    """Bring the first trades through, so that nothing is done for the first time when it is measured."""
    carry(house, venue, PATH, count=WARM_UP, expected=WARM_UP)


def throughput(events: int) -> Figures:
    """Return what our path costs."""
    with running() as (house, venue):
        return measure(house, venue, PATH, events=events, warm_up=WARM_UP)
