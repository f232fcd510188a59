"""Sort recordings by the venue that can replay them, before anything listens."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from simulator.capture import Capture, CaptureRefused, Event, read_capture
from simulator.registry import VENUES
from simulator.repeats import each_once
from simulator.venue import Entry, Recorded, Session


def read_sessions(paths: Sequence[Path], speed: float) -> dict[str, Session]:
    """
    Return venue name -> what was recorded of it in all files, in receive order, each message once.

    Raises:
        CaptureRefused: a file is not whole, or holds what no simulated venue would say, or there is nothing in any.
    """
    files: defaultdict[str, list[list[Recorded]]] = defaultdict(list)
    spans: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for path in paths:
        capture = read_capture(path)
        events: defaultdict[str, list[Recorded]] = defaultdict(list)
        for index, event in enumerate(capture.events):
            name = _claimant(capture, event, index).name
            events[name].append(Recorded(event, capture.address(event), capture.is_socket(event)))
        for name, recorded in events.items():
            files[name].append(recorded)
            spans[name].append((capture.events[0].received_ns, capture.events[-1].received_ns))
    if paths and not files:
        raise CaptureRefused(paths[0], 1, "there is nothing to replay: no event was recorded")
    return {name: Session(each_once(files[name]), spans[name], speed) for name in files}


def _claimant(capture: Capture, event: Event, index: int) -> Entry:
    for entry in VENUES:
        if entry.recorded_as == capture.header.venue and entry.claims(capture, event):
            return entry
    address = capture.address(event) or "an unnamed address"
    reason = f"venue {capture.header.venue} at {address} is not simulated yet"
    raise CaptureRefused(capture.path, capture.line(index), reason)
