"""The database's schema: numbered migrations, applied in order, each once."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.backoff import delays_s
from common.clickhouse import Client, Store, connect
from common.columns import records_of
from common.errors import SchemaMismatch, StoreRefused
from common.lifecycle import wait
from common.log import logger
from common.settings import Settings
from common.tables import TABLES

MIGRATIONS = Path(__file__).parent.parent / "migrations"

LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version UInt32 COMMENT 'number of the migration',
    name String COMMENT 'its file',
    digest String COMMENT 'SHA-256 of the file as it was applied',
    applied_time DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when'
)
ENGINE = MergeTree ORDER BY version
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Migrations that were applied.'
"""

log = logger("schema")


@dataclass(frozen=True)
class Migration:
    """One numbered file of SQL; every statement of it may run twice."""

    version: int
    name: str
    script: str

    @property
    def digest(self) -> str:
        """Return what tells an edited file from the one that was applied."""
        return hashlib.sha256(self.script.encode()).hexdigest()


def migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """Return the migrations of a folder in order; their numbers run from 1 without a hole."""
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return [Migration(int(file.name[:4]), file.name, file.read_text(encoding="utf-8")) for file in files]


def apply(settings: Settings) -> list[Migration]:
    """
    Create the database and bring it to this code's version; return what was applied now.

    Safe to run twice and from several hosts at once: statements say IF NOT EXISTS, and the ledger drops repeats.

    Raises:
        SchemaMismatch: the database is newer than this code.
        StoreRefused: ClickHouse does not answer or does not agree.
    """
    connect(settings, database="default").command(f"CREATE DATABASE IF NOT EXISTS {settings.clickhouse_database}")
    client = connect(settings)
    client.command(LEDGER)
    wanted = migrations()
    found = version_of(client)
    if found > len(wanted):
        raise SchemaMismatch(expected=len(wanted), found=found)
    for migration in wanted[found:]:
        for statement in _statements(migration.script):
            client.command(statement)
        client.command(
            "INSERT INTO schema_migrations (version, name, digest) "
            "SELECT {version:UInt32}, {name:String}, {digest:String}",
            parameters={"version": migration.version, "name": migration.name, "digest": migration.digest},
            settings={"insert_deduplication_token": migration.name, "async_insert": 0},
        )
    return wanted[found:]


def _statements(script: str) -> Sequence[str]:
    """Return the statements of a migration: separated by a semicolon at the end of a line."""
    return [part.strip().rstrip(";") for part in script.split(";\n") if part.strip().rstrip(";")]


def version_of(client: Client) -> int:
    """Return the newest migration that was applied, 0 for none."""
    return int(client.query("SELECT max(version) FROM schema_migrations").result_rows[0][0])


async def wait_current(settings: Settings, stop: asyncio.Event) -> Client:
    """
    Return a client once ClickHouse answers with the schema that this code was written for.

    Raises:
        SchemaMismatch: the database is newer than this code.
        asyncio.CancelledError: told to stop before.
    """
    wanted = len(migrations())
    for pause_s in delays_s(first_s=0.2, ceiling_s=5.0):
        try:
            client = await asyncio.to_thread(connect, settings)
            found = await asyncio.to_thread(version_of, client)
        except Exception as error:  # noqa: BLE001  no server, no database, no ledger: all mean "not yet"
            log.info("schema.waiting", pause_s=round(pause_s, 2), reason=str(error).partition("\n")[0][:200])
        else:
            if found > wanted:
                raise SchemaMismatch(expected=wanted, found=found)
            if found == wanted:
                return client
            log.info("schema.waiting", pause_s=round(pause_s, 2), expected=wanted, found=found)
        if await wait(stop, pause_s):
            raise asyncio.CancelledError
    raise AssertionError  # the delays never end


async def offsets_stored(store: Store) -> dict[tuple[str, int], int]:
    """Return the running number behind the last stored record of each (topic, shard) that has a table."""
    ends: dict[tuple[str, int], int] = {}
    for table in TABLES:
        records = records_of(table, ("shard", "offset"))
        frame = await store.query(f"SELECT shard, max(offset) + 1 AS stop FROM {records} GROUP BY shard")  # noqa: S608
        ends |= {(table.source.topic, int(shard)): int(stop) for shard, stop in frame.iter_rows()}
    return ends


__all__ = ["Migration", "StoreRefused", "apply", "migrations", "offsets_stored", "wait_current"]
