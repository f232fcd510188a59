"""What a batch must know from ClickHouse, asked once and remembered."""

import polars as pl

from common.clickhouse import Store
from processors.processor import Lookup

MOST_KEYS = 1_000_000  # about 300 MB; past that everything is forgotten and asked again


class Knowledge:
    """The answers to one lookup; what is unknown is asked again with every batch that needs it."""

    def __init__(self, store: Store, lookup: Lookup | None) -> None:
        self._store = store
        self._lookup = lookup
        self._known = pl.DataFrame(schema=lookup.schema if lookup else {})

    async def about(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the lookup's rows for the keys of a batch; raise StoreRefused when ClickHouse cannot be asked."""
        if self._lookup is None:
            return self._known
        return await self.of(self._lookup.keys(frame))

    async def at_rest(self, shard: int, stop: int, oldest_ns: int) -> pl.DataFrame:
        """Return what there is to know while no record comes to a shard, whose records before `stop` are turned."""
        del shard, stop, oldest_ns
        return self._known.clear()

    def forget(self, shard: int) -> None:
        """Take note that the records of a shard are turned from an earlier place again, or by a new state."""

    async def of(self, keys: pl.Series) -> pl.DataFrame:
        """Return the rows of these keys that are known, asking for the others."""
        if self._lookup is None:
            return self._known
        name = next(iter(self._lookup.schema))
        wanted = keys.unique().alias(name).to_frame()
        missing = wanted.join(self._known, on=name, how="anti")
        if not missing.is_empty():
            found = await self._store.query(self._lookup.sql, {"keys": missing[name].to_list()})
            if not found.is_empty():
                kept = self._known if len(self._known) < MOST_KEYS else self._known.clear()
                answer = found.select(list(self._lookup.schema)).cast(pl.Schema(self._lookup.schema))
                # Others may have asked for the same keys meanwhile: a key known twice would make two rows of one.
                self._known = pl.concat([kept, answer.join(kept, on=name, how="anti")])
        return self._known.join(wanted, on=name, how="semi")
