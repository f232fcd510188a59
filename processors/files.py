"""Rows into dated files on the local disk: a copy that other tools read, each row once."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from common.columns import Table
from common.errors import StoreRefused
from common.redis_streams import Shard
from common.settings import Settings
from processors.appending import Layout, letters_of
from processors.batch import Batch, Content, refused_letters
from processors.frames import table_frame, unfit
from processors.processor import Made
from processors.targets import Delivered, Named

Format = Literal["parquet", "csv"]
DRAFT = ".draft"


@dataclass(frozen=True)
class Folder:
    """Where files go, and in which format."""

    path: Path
    format: Format


class FileTarget:
    """
    One file for each batch and day: `<table>/<day>/<table>-<shard>-<start>-<stop>.<format>`.

    A batch is named before it is written, so whoever repeats it writes the very same file again: nothing is there
    twice. A file appears under its name when it is whole and on the disk.
    """

    def __init__(self, table: Table, folder: Folder, layout: Layout) -> None:
        self._table = table
        self._folder = folder
        self._layout = layout

    async def deliver(self, batch: Batch, content: Content, made: Made, named: Named) -> Delivered:
        """Return when the files stand; what does not fit the columns becomes dead letters."""
        try:
            fitting, bad = table_frame(made.rows, self._table), made.refused
        except pl.exceptions.InvalidOperationError:
            bad = pl.concat([made.refused, unfit(made.rows, self._table)])
            fitting = table_frame(made.rows.join(bad, on="offset", how="anti", maintain_order="left"), self._table)
        name = f"{self._table.name}-{batch.shard.number}-{batch.start}-{batch.stop}.{self._folder.format}"
        if named.in_doubt or named.manifest.doubtful:
            fitting = fitting.filter(~pl.col("offset").is_in(self._standing(batch, name).implode()))
        for day, rows in _by_day(fitting):
            try:
                await asyncio.to_thread(_write, self._root / day / name, rows)
            except OSError as error:
                raise StoreRefused(f"write {name}", code=0, reason=str(error)) from error
        letters = [*content.dead, *refused_letters(batch, content, bad)]
        return Delivered(letters_of(letters, self._layout), {self._table.name: len(fitting)}, len(letters))

    async def end(self, shard: Shard, start: int, group: str) -> int | None:
        """Return the running number behind the last record of a shard that stands in a file."""
        del group
        pattern = f"*/{self._table.name}-{shard.number}-*.{self._folder.format}"
        stops = [int(file.stem.rpartition("-")[2]) for file in self._root.glob(pattern)]
        return max([stop for stop in stops if stop > start], default=None)

    async def stands(self, shard: Shard, stored: int) -> int:
        """Return all of it: files are the operator's, who may have moved them away."""
        del shard
        return stored

    def _standing(self, batch: Batch, name: str) -> pl.Series:
        """Return which of a batch's numbers stand in other files, where a lost commit had cut it otherwise."""
        found = [pl.Series("offset", [], dtype=pl.UInt64)]
        for file in self._root.glob(f"*/{self._table.name}-{batch.shard.number}-*.{self._folder.format}"):
            start, stop = (int(number) for number in file.stem.split("-")[-2:])
            if file.name != name and start < batch.stop and stop > batch.start:
                read = pl.read_csv if file.suffix == ".csv" else pl.read_parquet
                found.append(read(file, columns=["offset"])["offset"].cast(pl.UInt64))
        return pl.concat(found)

    @property
    def _root(self) -> Path:
        return self._folder.path / self._table.name


def folder_of(settings: Settings) -> Folder:
    """Return where the settings want the files."""
    return Folder(settings.copy_dir or settings.data_dir / "copy", settings.copy_format or "parquet")


def _by_day(rows: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Return the rows by the UTC day on which their bytes came."""
    days = rows.with_columns(pl.col("received_time").dt.strftime("%Y-%m-%d").alias("_day"))
    parts = days.partition_by("_day", as_dict=True, include_key=False, maintain_order=True)
    return [(str(day), part) for (day,), part in parts.items()]


def _write(file: Path, rows: pl.DataFrame) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + DRAFT)
    if file.suffix == ".csv":
        rows.write_csv(draft)
    else:
        rows.write_parquet(draft)
    with draft.open("rb+") as handle:
        os.fsync(handle.fileno())
    draft.replace(file)
