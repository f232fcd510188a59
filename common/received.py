"""An entry of a stream as a group gets it, and what is wrong with one that is not ours."""

from collections.abc import Mapping
from typing import NamedTuple


class Received(NamedTuple):
    """
    An entry of a stream: its id, the running number of its first record, and `records` JSON lines.

    An entry that is not ours has a `flaw`, no records, and in `data` whatever it held; of one that `is_gone`, deleted
    by hand after it was given out, there is nothing left but the id.
    """

    id: str
    offset: int
    records: int
    data: bytes
    flaw: str = ""
    is_gone: bool = False

    @property
    def stop(self) -> int:
        """Return the running number behind the last record."""
        return self.offset + self.records


def received_of(entry_id: bytes, fields: Mapping[bytes, bytes] | None, group: str) -> Received:
    """Return what Redis gave a group for an entry; one for another group alone has numbers, but no data."""
    if not fields:
        return Received(entry_id.decode(), -1, 0, b"", flaw="the entry was deleted by hand", is_gone=True)
    try:
        entry = Received(entry_id.decode(), int(fields[b"o"]), int(fields[b"n"]), fields[b"data"])
    except (KeyError, ValueError) as error:
        flaw = f"expected the fields o, n and data: {type(error).__name__} {error}"
        return Received(entry_id.decode(), -1, 0, b"\n".join(b"%b: %b" % pair for pair in fields.items()), flaw=flaw)
    found = entry.data.count(b"\n") + 1 if entry.data else 0
    if found != entry.records:
        flaw = f"expected {entry.records} lines, found {found}"
        return entry._replace(records=0, flaw=flaw)
    return entry if fields.get(b"g", group.encode()) == group.encode() else entry._replace(data=b"")


def is_behind(entry_id: str, other_id: str) -> bool:
    """Return whether an entry comes after another in their stream."""
    return _key(entry_id) > _key(other_id)


def time_ms(entry_id: str) -> int:
    """Return when an entry was appended, by the clock of Redis."""
    return _key(entry_id)[0]


def _key(entry_id: str) -> tuple[int, int]:
    at_ms, _, number = entry_id.partition("-")
    return int(at_ms), int(number)
