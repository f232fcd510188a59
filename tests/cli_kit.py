"""The command line as `./fleet` calls it, and small servers to ask: ten trades, and a line that is none."""

import asyncio
import json
import logging
import shutil

import pytest
import structlog

from common.codec import encode
from common.outbox import Outbox
from common.packet import Packet
from common.packing import Entry
from common.records import Trade
from common.redis_streams import Shard, connect
from common.settings import Settings
from common.streams import TRADES
from monitoring.cli.app import main
from tests.fleet_harness import Fleet, free_port, wait_for

PROGRAMS = [
    {"program": "binance_ingester", "kind": "ingester", "venue": "binance", "enabled": True, "why": ""},
    {"program": "goldsky_ingester", "kind": "ingester", "venue": "goldsky", "enabled": False, "why": "switched off"},
    {"program": "clickhouse_writer", "kind": "processor", "venue": "", "enabled": True, "why": ""},
]


def trade(number):
    return Trade(
        venue="binance",
        symbol="BTCUSDT" if number % 2 else "ETHUSDT",
        received_ns=1_700_000_000_000_000_000 + number,
        trade_id=str(number),
        event_ns=1_700_000_000_000_000_000,
        price="61837.63000000",
        size="0.5",
        taker_side="buy",
        sequence=number,
    )


async def fill(settings):
    """Append ten trades and a line that is none."""
    async with connect(settings) as redis:
        outbox = Outbox(redis, Shard(TRADES, 0, 1), "binance_ingester")
        await redis.hset("topics", "trades", "1")
        await outbox.claim()
        lines = [encode(trade(number)) for number in range(10)]
        entries = [Entry(10, b"\n".join(lines)), Entry(1, b'{"venue":"nowhere"}')]
        await outbox.append(Packet(outbox.batch + 1, entries))
        await redis.set("fleet:programs", json.dumps(PROGRAMS))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Servers, a writer, and no ingester: a fleet that is degraded."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("cli")) as made:
        made.start_servers()
        asyncio.run(fill(Settings.from_env(made.environment, made.folder / "none")))
        made.start_program("clickhouse_writer")
        wait_for(lambda: made.sql("SELECT count() FROM trades")[0][0], expected=10, what="trades")
        wait_for(lambda: made.sql("SELECT count() FROM dead_letters")[0][0], expected=1, what="dead letter")
        yield made


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Call the command line as `./fleet` does; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(environment, *words):
        try:
            code = main(words, environment)
        except SystemExit as end:
            code = end.code
        told = capsys.readouterr()
        return code, told.out, told.err

    yield call
    logging.disable(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture
def nowhere():
    """An environment in which nothing listens."""
    return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(free_port()), "CLICKHOUSE_PORT": str(free_port())}
