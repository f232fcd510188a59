"""/dead-letters: what could not be read or stored, by reason, newest first; one of them whole."""

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from common.clock import NS_PER_S
from common.records import DeadLetter
from common.settling import bytes_of
from monitoring.desk import AsOf
from monitoring.page import Look
from monitoring.views.letters_reading import PAGE, Found, Given, Lying, Stored, fits, kind_of

PREVIEW = 160
MOST_SHOWN = 64 * 1024
HEX_ROW = 16


@dataclass(frozen=True)
class Letter:
    """A dead letter; `settled` says what became of it, empty while nobody has dealt with it."""

    id: str
    received_ns: int
    age_s: float
    venue: str
    symbol: str
    stream: str
    program: str
    reason: str
    attempts: int
    size_bytes: int
    preview: str
    payload: str
    encoding: str
    settled: str


@dataclass(frozen=True)
class Kind:
    """Letters with the same reason but for its numbers."""

    kind: str
    program: str
    stream: str
    letters: int
    newest_age_s: float


@dataclass(frozen=True)
class Letters:
    """A page of them; `total` is how many were ever set aside, by Redis's own count."""

    kinds: tuple[Kind, ...]
    letters: tuple[Letter, ...]
    total: int | None
    id: str
    kind: str
    page: int
    has_more: bool
    store: AsOf
    redis: AsOf


def view(look: Look) -> Letters:
    """Return the letters that are asked for."""
    given: Given = look.given
    found: Found = look.found
    stored, lying = found.stored.value or Stored(), found.lying.value or Lying()
    letters = {letter.id: letter for letter in lying.letters if fits(letter, given)} if given.page == 1 else {}
    letters |= {letter.id: letter for letter in stored.letters}
    rows = sorted(letters.values(), key=lambda letter: letter.received_ns, reverse=True)
    shards = look.shot.redis.shards if look.shot.redis else ()
    return Letters(
        kinds=_kinds(stored, lying, look.now_ns),
        letters=tuple(_letter(letter, lying.settled, look.now_ns) for letter in rows[: PAGE if not given.id else 1]),
        total=sum(shard.offset for shard in shards if shard.topic == "dead_letters") if look.shot.redis else None,
        id=given.id,
        kind=given.kind,
        page=given.page,
        has_more=len(stored.letters) == PAGE,
        store=found.stored.as_of(look.now_ns),
        redis=found.lying.as_of(look.now_ns),
    )


def _kinds(stored: Stored, lying: Lying, now_ns: int) -> tuple[Kind, ...]:
    if stored.kinds:
        return tuple(
            Kind(row["kind"], row["program"], row["stream"], row["letters"], (now_ns - row["newest_ns"]) / NS_PER_S)
            for row in stored.kinds
        )
    groups: defaultdict[tuple[str, str, str], list[DeadLetter]] = defaultdict(list)
    for letter in lying.letters:
        groups[kind_of(letter.reason), letter.program, letter.stream].append(letter)
    return tuple(
        Kind(*key, len(held), (now_ns - max(one.received_ns for one in held)) / NS_PER_S)
        for key, held in groups.items()
    )


def _letter(letter: DeadLetter, settled: dict[str, str], now_ns: int) -> Letter:
    payload = _bytes(letter)
    return Letter(
        id=letter.id,
        received_ns=letter.received_ns,
        age_s=(now_ns - letter.received_ns) / NS_PER_S,
        venue=letter.venue,
        symbol=letter.symbol,
        stream=letter.stream,
        program=letter.program,
        reason=letter.reason,
        attempts=letter.attempts,
        size_bytes=len(payload),
        preview=payload[:PREVIEW].decode(errors="backslashreplace"),
        payload=letter.payload,
        encoding=letter.encoding,
        settled=settled.get(letter.id, ""),
    )


def _bytes(letter: DeadLetter) -> bytes:
    try:
        return bytes_of(letter)
    except binascii.Error:
        return letter.payload.encode()


def shown(page: Letters) -> dict[str, object]:
    """Return the payload of the one letter that is open: as text where it is text, and as hexadecimal."""
    if not (page.id and page.letters):
        return {"text": "", "hexadecimal": "", "is_cut": False}
    one = page.letters[0]
    data = base64.b64decode(one.payload) if one.encoding == "base64" else one.payload.encode()
    cut = data[:MOST_SHOWN]
    return {
        "text": cut.decode(errors="backslashreplace"),
        "hexadecimal": "\n".join(_hex_row(cut, at) for at in range(0, len(cut), HEX_ROW)),
        "is_cut": len(data) > MOST_SHOWN,
    }


def _hex_row(data: bytes, at: int) -> str:
    row = data[at : at + HEX_ROW]
    plain = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004  what ASCII can print
    return f"{at:06x}  {row.hex(' '):<47}  {plain}"


def lines(page: Letters) -> Iterator[Letter]:
    """Return the letters that are shown, whole."""
    yield from page.letters
