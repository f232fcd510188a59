"""/streams/{name}: what lies in one stream, newest first; a page of it, one entry of it, or what a search finds."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from monitoring import stream_rows
from monitoring.desk import AsOf
from monitoring.entries import Lying
from monitoring.facts import Group, Stream
from monitoring.page import Look
from monitoring.views.stream_reading import Read, command_of


@dataclass(frozen=True)
class Shown:
    """An entry and its records as they lie there, or one record of it where that was searched for."""

    id: str
    place: str
    key: str
    time_ns: int
    offset: int
    records: int
    group: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class StreamPage:
    """A page of a stream; `searched` is how many records were looked through, None where nothing was searched for."""

    stream: Stream | None
    topic: str
    keys: tuple[str, ...]
    groups: tuple[Group, ...]
    entries: tuple[Shown, ...]
    searched: int | None
    older: str
    newer: str
    is_newest: bool
    complaint: str
    command: str
    where: str
    at: str
    opened: str
    redis: AsOf


def view(look: Look) -> StreamPage:
    """Return the page of a stream."""
    given, answer = look.given, look.found
    read: Read = answer.value or Read()
    is_newest = not (given.before or given.after or given.at or given.entry or given.where)
    rows = read.rows
    can_go_newer = rows and not (given.where or given.entry or is_newest)
    return StreamPage(
        stream=next((row for row in stream_rows.streams(look.shot) if row.topic == given.name), None),
        topic=given.name,
        keys=read.keys,
        groups=tuple(group for group in stream_rows.groups(look.shot) if group.topic == given.name),
        entries=tuple(_shown(entry, number) for entry, number in rows),
        searched=read.searched,
        older=read.last.word if read.last else "",
        newer=rows[0][0].place.word if can_go_newer else "",
        is_newest=is_newest,
        complaint=read.complaint,
        command=command_of(given, read),
        where=given.where,
        at=given.at,
        opened=given.entry,
        redis=answer.as_of(look.now_ns),
    )


def _shown(entry: Lying, number: int | None) -> Shown:
    texts = entry.texts() if number is None else [entry.texts()[number]]
    return Shown(
        id=entry.place.id,
        place=entry.place.word,
        key=entry.key,
        time_ns=entry.time_ns,
        offset=entry.offset + (number or 0),
        records=entry.records,
        group=entry.group,
        texts=tuple(text.decode(errors="backslashreplace") for text in texts),
    )


def lines(page: StreamPage) -> Iterator[dict[str, object]]:
    """Return what is shown, whole, a record a line."""
    for shown in page.entries:
        for number, text in enumerate(shown.texts):
            try:
                record: object = msgspec.json.decode(text)
            except msgspec.DecodeError:
                record = text
            place = {"stream": shown.key, "id": shown.id, "offset": shown.offset + number, "time_ns": shown.time_ns}
            yield {**place, "record": record}
