"""
Every venue against its recordings: `wire/<venue>/<case>.frame` is what came, `<case>.records` what it means.

A line of a `.frame` file is a JSON object: `payload` (text) or `payload_base64`, and as needed `reply_to`, `wire`,
`status` and `received_ns` (else a second after the line before). A line of `.records` is a step in the order it was
yielded, with its `type`; an error that the loop has to act on is a line too, `{"type": "WireLost", "says": "..."}`.
A `.resume` beside them holds what survived an earlier run: `{"state": {...}, "marks": [["trades", "BTCUSDT", 7]]}`.
"""

import base64
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from common.errors import BadAnswer, TickfleetError, WireError
from common.records import Record
from common.settings import Settings
from ingesters.feed import Feed, Frame, Resume, Step, hear
from ingesters.registry import VENUES

WIRE = Path(__file__).parent / "wire"
QUIET = {"headers": (), "is_private": False}  # what a step leaves out of its line when it has nothing to say
START_NS = 1_723_161_255_000_000_000
SECOND_NS = 1_000_000_000

FEEDS = {venue.program.removesuffix("_ingester"): venue.feed for venue in VENUES}  # as the folders in wire/ are named
CASES = sorted(WIRE.glob("*/*.frame"))
BOTTOMLESS = b"[" * 100_000
NOT_JSON = (
    BOTTOMLESS,
    b"",
    b"\x00",
    b"\xff\xfe\xfd",
    b"{",
    b'{"stream":',
    b"<html>502 Bad Gateway</html>",
    b"[1,2",
    b'"',
)


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a `.frame` file."""

    payload: str = ""
    payload_base64: str = ""
    reply_to: str | None = None
    wire: str = "main"
    status: int = 200
    received_ns: int | None = None


class Survived(msgspec.Struct, forbid_unknown_fields=True):
    """A `.resume` file."""

    state: dict[str, str] = {}
    marks: list[tuple[str, str, int]] = []


def frames(case: Path) -> Iterator[Frame]:
    for number, text in enumerate(case.read_bytes().splitlines()):
        line = msgspec.json.decode(text, type=Line)
        received_ns = line.received_ns or START_NS + number * SECOND_NS
        payload = line.payload.encode() or base64.b64decode(line.payload_base64)
        yield Frame(received_ns, payload, line.wire, line.reply_to, line.status)


def opened(venue: str, resume: Resume) -> Feed:
    """Return a feed that has said what to do first."""
    feed = FEEDS[venue](Settings(), resume)
    list(feed.opening())
    return feed


def resume_of(case: Path) -> Resume:
    file = case.with_suffix(".resume")
    survived = msgspec.json.decode(file.read_bytes(), type=Survived) if file.exists() else Survived()
    return Resume(survived.state, {(topic, symbol): mark for topic, symbol, mark in survived.marks})


def as_line(step: Step) -> dict[str, object]:
    facts = (
        step
        if isinstance(step, Record)
        else {name: _text(value) for name, value in step._asdict().items() if name not in QUIET or QUIET[name] != value}
    )
    return {"type": type(step).__name__} | msgspec.json.decode(msgspec.json.encode(facts))


def _text(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


def meaning(case: Path) -> list[dict[str, object]]:
    feed = opened(case.parent.name, resume_of(case))
    lines: list[dict[str, object]] = []
    for frame in frames(case):
        try:
            lines += [as_line(step) for step in hear(feed, frame)]
        except TickfleetError as error:
            lines.append({"type": type(error).__name__, "says": str(error)})
    return lines


@pytest.mark.parametrize("venue", FEEDS)
def test_every_venue_has_a_recording(venue):
    assert venue in {case.parent.name for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_frames_mean_what_is_recorded_beside_them(case):
    expected = [msgspec.json.decode(line) for line in case.with_suffix(".records").read_bytes().splitlines()]

    assert expected == meaning(case)


@pytest.mark.parametrize("payload", NOT_JSON)
@pytest.mark.parametrize("venue", FEEDS)
def test_garbage_on_a_socket_is_a_wire_error_that_holds_the_bytes(venue, payload):
    with pytest.raises(WireError) as caught:
        hear(opened(venue, Resume()), Frame(START_NS, payload))

    assert payload == caught.value.payload


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_a_frame_that_was_cut_short_is_refused_and_nothing_else(case):
    for frame in frames(case):
        feed = opened(case.parent.name, resume_of(case))
        half = msgspec.structs.replace(frame, payload=frame.payload[: len(frame.payload) // 2])

        with pytest.raises((WireError, BadAnswer)):
            hear(feed, half)


@pytest.mark.parametrize("payload", [b"null", b"7", b"[]", b"[null]", b"{}", b'{"a":1}', b'{"data":{}}', b'{"e":7}'])
@pytest.mark.parametrize("venue", FEEDS)
def test_json_that_makes_no_sense_stops_nothing(venue, payload):
    with suppress(WireError):
        hear(opened(venue, Resume()), Frame(START_NS, payload))
