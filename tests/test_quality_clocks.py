"""A venue whose clock is ahead of ours is told as such; no message is shown to have come before it was sent."""

import io

from rich.console import Console

from monitoring.cli.venue_quality import clocks_ahead, shown

COUNTS = (
    "messages",
    "records",
    "gaps",
    "resyncs",
    "resync_p50_ms",
    "resync_p95_ms",
    "backfilled",
    "late",
    "in_sync_pct",
)


def line(venue, p50_ms, p99_ms):
    return {"venue": venue, **dict.fromkeys(COUNTS, 1), "under_way_p50_ms": p50_ms, "under_way_p99_ms": p99_ms}


LINES = (line("ahead", -4_990.0, 12.5), line("right", 8.5, 77.5), line("silent", None, None))


def text_of(table):
    out = io.StringIO()
    Console(file=out, width=240).print(table)
    return out.getvalue()


def test_a_clock_that_is_ahead_is_named_with_how_far_at_least():
    said = ["ahead: its clock is 4,990.0 ms or more ahead of ours, so how late it tells is not known"]

    assert said == list(clocks_ahead(LINES))


def test_what_a_clock_ahead_makes_of_the_delay_is_not_shown():
    text = text_of(shown(LINES, "1h"))

    assert (False, False, True, True) == tuple(figure in text for figure in ("4,990.0", "12.5", "8.5", "77.5"))
