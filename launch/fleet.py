"""Which programs the settings ask for beside the servers; what exists stands in VENUES and PROCESSORS."""

from collections.abc import Mapping
from dataclasses import replace

from common.settings import Settings
from ingesters.registry import VENUES
from launch.programs import DASHBOARD, INGESTER, PROCESSOR, WRITER, Program
from processors.registry import PROCESSORS, why_off


def fleet(
    settings: Settings, feed: Mapping[str, str], users: Mapping[str, Mapping[str, str]] | None = None
) -> list[Program]:
    """
    Return every program beside the servers, those that are not to run with the reason.

    `feed` is for ingesters, and for the dashboard, which searches their venues; `users` has by kind what a program must
    know to be let in by the servers.
    """
    every = [*_processors(settings), *_ingesters(settings, feed), _dashboard(feed)]
    known = users or {}
    return [replace(one, environment={**one.environment, **known.get(one.kind, {})}) for one in every]


def _ingesters(settings: Settings, feed: Mapping[str, str]) -> list[Program]:
    return [
        Program(
            venue.program,
            "ingester",
            ("-m", "ingesters", venue.program),
            INGESTER,
            venue=venue.name,
            environment=feed,
            why_not=venue.why_disabled(settings),
        )
        for venue in VENUES
    ]


def _processors(settings: Settings) -> list[Program]:
    return [
        Program(
            name,
            "processor",
            ("-m", "processors", name),
            WRITER if name.endswith("_writer") else PROCESSOR,
            processes=getattr(settings, f"{name}s", 1),
            why_not=why_off(name, settings),
        )
        for name in dict.fromkeys(processor.program for processor in PROCESSORS)
    ]


def _dashboard(feed: Mapping[str, str]) -> Program:
    return Program("dashboard", "dashboard", ("-m", "monitoring"), DASHBOARD, environment=feed)
