"""The copy on the local disk: dated files that hold each row once, whatever is killed."""

import polars as pl
import pytest

from tests.fleet_harness import CAPTURES, wait_for

pytestmark = [
    pytest.mark.redis,
    pytest.mark.clickhouse,
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("captures"),
]

RECORDING = "binance-ten-symbols-20210405.jsonl.gz"
TRADES, QUOTES = 1240, 5408


def rows(fleet, table, ending):
    """Return (rows, different running numbers) of all files of a table."""
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv}[ending]
    files = sorted((fleet.folder / "copy" / table).glob(f"*/*.{ending}"))
    numbers = [number for file in files for number in read(file)["offset"].to_list()]
    return len(numbers), len(set(numbers))


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_copied_rows_are_those_of_the_table_also_when_the_copier_is_killed(fleet, ending):
    assert (CAPTURES / RECORDING).exists()
    fleet.environment |= {"COPY_FORMAT": ending, "COPY_LINGER_S": "0.2"}
    fleet.replay(RECORDING)
    for program in ("clickhouse_writer", "file_writer", "binance_ingester"):
        fleet.start_program(program)
    for some in (100, 2000):
        wait_for(lambda some=some: rows(fleet, "quotes", ending)[0] > some, what="the middle")
        fleet.kill("file_writer")
        fleet.restart("file_writer")

    wait_for(lambda: rows(fleet, "quotes", ending), expected=(QUOTES, QUOTES), what="quotes")
    wait_for(lambda: rows(fleet, "trades", ending), expected=(TRADES, TRADES), what="trades")
    fleet.end("file_writer")
    fleet.restart("file_writer")
    wait_for(lambda: fleet.redis.hget("proc:file_writer", "state"), expected="running", what="again")

    assert (QUOTES, QUOTES) == rows(fleet, "quotes", ending)
    days = {folder.name for folder in (fleet.folder / "copy" / "trades").iterdir()}
    stored = "SELECT DISTINCT toDate(received_time) FROM trades"
    wait_for(lambda: {str(day) for (day,) in fleet.sql(stored)}, expected=days, what="days of the table")
