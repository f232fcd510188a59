"""What its source takes back of a table: such rows leave it for the table beside, with the word that says so."""

from typing import NamedTuple

import polars as pl

from common.clock import NS_PER_S
from common.columns import Table
from common.log import logger
from common.records import REMOVED
from processors.delivery import Delivery
from processors.manifest import Manifest

log = logger("removal")

AT_ONCE = 1000  # rows: they travel as a parameter
AROUND_NS = 600 * NS_PER_S  # a block that is replaced may have another time, and its rows keep the one they were told


class Parted(NamedTuple):
    """Rows of a batch that stand when it is over, those that do not, and until which place each id is gone."""

    standing: pl.DataFrame
    gone: pl.DataFrame
    until: pl.DataFrame


def parted(frame: pl.DataFrame, table: Table) -> Parted:
    """
    Part the rows of a batch by whether they stand when it is over.

    A record takes back what has its id and came before it, here or in the table; what comes behind it stands again.
    """
    is_word = pl.col("source") == REMOVED
    until = frame.filter(is_word).group_by(table.identity).agg(pl.col("offset").max().alias("gone_until"))
    judged = frame.join(until, on=table.identity, how="left", maintain_order="left")
    is_gone = is_word | (pl.col("offset") < pl.col("gone_until")).fill_null(value=False)
    standing, gone = (judged.filter(which).drop("gone_until") for which in (~is_gone, is_gone))
    return Parted(standing, gone, until)


class Removal:
    """Removes from one table; whatever is repeated of it changes nothing."""

    def __init__(self, table: Table, rows: Delivery, beside: Delivery) -> None:
        self._table = table
        self._rows = rows
        self._beside = beside

    async def carry_out(self, frame: pl.DataFrame, manifest: Manifest) -> tuple[pl.DataFrame, pl.DataFrame]:
        """
        Remove what the rows of a batch take back; return the rows that are to be stored, when that is done.

        Returns:
            the rows, and (offset, reason) of those that the table beside cannot hold.
        """
        if not (frame["source"] == REMOVED).any():
            return frame, frame.clear().select("offset", reason=pl.lit(""))
        standing, gone, until = parted(frame, self._table)
        await self._clear(gone.filter(pl.col("source") == REMOVED), until, manifest)
        return standing, await self._beside.complete(gone, manifest)

    async def _clear(self, words: pl.DataFrame, until: pl.DataFrame, manifest: Manifest) -> None:
        """Take out of the table what was stored before it was taken back, until nothing of it stands there."""
        shard, attempt = int(words["shard"][0]), 0
        while True:
            stand = (await self._rows.standing(words, around_ns=AROUND_NS)).join(until, on=self._table.identity)
            places = stand.filter(pl.col("stands_at") < pl.col("gone_until"))["stands_at"].to_list()
            if not places:
                return
            log.info("removal.taken_back", table=self._table.name, rows=len(places))
            for start in range(0, len(places), AT_ONCE):
                some = places[start : start + AT_ONCE]
                await self._rows.remove(shard, some, f"{manifest.token}/removed/{attempt}/{start}")
            attempt += 1
