"""What every command starts with: the settings of this call, and the servers that they name."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from common import clickhouse, redis_streams
from common.clickhouse import Store
from common.errors import Unreachable
from common.redis_readings import RedisReader
from common.redis_streams import Redis, RedisError
from common.settings import Settings
from monitoring.store_readings import StoreReader
from monitoring.watch import Snapshot, Watch

T = TypeVar("T")
PATIENCE_S = 12.0
ENOUGH_SAMPLES = 3  # whatever has no rate by then never had a figure
ENV_FILE = Path(".env")
STARTED = Path("run/fleet.json")
SUPERVISOR = Path("run/supervisord.pid")


@dataclass(frozen=True)
class Call:
    """One call of the command line: the environment that it was made in."""

    environ: Mapping[str, str]

    @property
    def started(self) -> Mapping[str, str]:
        """Return where the running fleet has its servers, if start.sh was given other addresses than we were."""
        try:
            os.kill(int(SUPERVISOR.read_text(encoding="ascii")), 0)
            facts = json.loads(STARTED.read_text(encoding="utf-8"))
            return {**facts["settings"], "DATA_DIR": facts["data_dir"], "LOG_DIR": facts["log_dir"]}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def path(self, named: Path) -> Path:
        """Return a file that was named at the prompt: ./fleet goes to the root before we run."""
        return Path(self.environ.get("FLEET_FROM", "")) / named

    @property
    def settings(self) -> Settings:
        """Return the settings; raise BadSettings naming every problem."""
        return Settings.from_env({**self.started, **self.environ}, ENV_FILE)


def ask_redis(settings: Settings, question: Callable[[Redis], Awaitable[T]]) -> T:
    """Return the answer to a question over one connection; raise Unreachable when there is none."""

    async def ask() -> T:
        try:
            async with redis_streams.connect(settings) as redis:
                return await question(redis)
        except BrokenPipeError:  # who reads us has seen enough; what breaks towards Redis is a RedisError
            raise
        except (RedisError, OSError) as error:
            raise Unreachable("redis", reason=str(error) or type(error).__name__) from error

    return asyncio.run(ask())


def ask_clickhouse(settings: Settings, sql: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """Return the answer to one question; raise StoreRefused when there is none."""
    return asyncio.run(Store(clickhouse.connect(settings)).query(sql, parameters))


def look(settings: Settings, *, rates: bool = True) -> Snapshot:
    """
    Return what stands where; with rates it takes a second.

    Raises:
        Unreachable: Redis does not answer. That ClickHouse does not is in the snapshot.
    """

    async def ask(redis: Redis) -> Snapshot:
        watch = Watch(RedisReader(redis), StoreReader.of(settings))
        stop = asyncio.Event()
        running = asyncio.create_task(watch.run(stop))
        shot: Snapshot | None = watch.snapshot
        async with asyncio.timeout(PATIENCE_S):
            while shot is not None and not _is_whole(shot, rates=rates):
                shot = await watch.newer_than(shot.number)
        stop.set()
        await running
        if watch.snapshot.redis_problem is not None:
            raise Unreachable("redis", reason=watch.snapshot.redis_problem)
        return watch.snapshot

    return ask_redis(settings, ask)


def _is_whole(shot: Snapshot, *, rates: bool) -> bool:
    if shot.redis_problem is not None:
        return True
    is_read = shot.redis is not None and (shot.store is not None or shot.store_problem is not None)
    return is_read and (bool(shot.rates_per_s) or not rates or shot.number >= ENOUGH_SAMPLES)
