"""PAGES: a new page is a line here, a view, and a template; its JSON and its live updates come with it."""

from monitoring.facts import Overview
from monitoring.overview import overview
from monitoring.page import Page
from monitoring.pipeline import pipeline
from monitoring.views import (
    groups,
    instrument,
    instrument_reading,
    instruments,
    ladders,
    stream,
    stream_reading,
    streams,
)

PAGES = (
    Page(
        path="/",
        name="overview",
        title="Overview",
        shortcut="o",
        model=Overview,
        view=lambda look: overview(look.shot, look.now_ns, look.house),
        fragments=("alarms", "map", "groups", "streams", "tables", "programs", "cursors", "events"),
        more=lambda view: {"map": pipeline(view)},
    ),
    Page(
        path="/streams",
        name="streams",
        title="Streams",
        shortcut="s",
        model=streams.Streams,
        ask=streams.ask,
        view=streams.view,
        fragments=("topics",),
    ),
    Page(
        path="/streams/{name}",
        name="stream",
        title="Stream",
        shortcut="",
        under="streams",
        model=stream.StreamPage,
        given=stream_reading.Given,
        ask=stream_reading.ask,
        view=stream.view,
        fragments=("shape", "entries"),
        lines=stream.lines,
    ),
    Page(
        path="/groups",
        name="groups",
        title="Groups",
        shortcut="g",
        model=groups.Groups,
        ask=groups.ask,
        view=groups.view,
        fragments=("places",),
    ),
    Page(
        path="/instruments",
        name="instruments",
        title="Instruments",
        shortcut="i",
        model=instruments.Instruments,
        given=instruments.Given,
        ask=instruments.ask,
        view=instruments.view,
        fragments=("found",),
    ),
    Page(
        path="/i/{venue}/{symbol:path}",
        name="instrument",
        title="Instrument",
        shortcut="",
        under="instruments",
        model=instrument.InstrumentPage,
        given=instrument_reading.Given,
        ask=instrument_reading.ask,
        view=instrument.view,
        fragments=("head", "tape", "ladder", "incidents", "series"),
        more=ladders.areas,
    ),
)
