"""Which programs the settings ask for; what exists stands in VENUES and PROCESSORS."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from common.settings import Settings
from ingesters.registry import VENUES
from processors.registry import PROCESSORS, why_off

# Supervisor starts in this order and stops in the reverse one, so that what feeds stops before what is fed.
REDIS, CLICKHOUSE, LISTENING, SIMULATOR, WRITER, PROCESSOR, INGESTER, DASHBOARD = 10, 20, 50, 100, 200, 300, 400, 500


@dataclass(frozen=True)
class Program:
    """One line for Supervisor: what `python` is called with, how many of it, and what its environment has on top."""

    name: str
    kind: str
    arguments: tuple[str, ...]
    priority: int
    venue: str = ""
    processes: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    why_not: str | None = None

    @property
    def is_server(self) -> bool:
        """Return whether the others stand on it."""
        return self.kind == "server"

    @property
    def process_names(self) -> tuple[str, ...]:
        """Return the names of its processes: its own, or numbered ones when there are several."""
        if self.processes == 1:
            return (self.name,)
        return tuple(f"{self.name}_{number:02d}" for number in range(self.processes))


def servers(settings: Settings) -> list[Program]:
    """Return the embedded servers that the settings ask for."""
    wanted = []
    if settings.embedded_redis:
        wanted.append(Program("redis", "server", ("-m", "embedded.redis"), REDIS))
    if settings.embedded_clickhouse:
        path = str(settings.data_dir.absolute() / "clickhouse")
        address = ("--host", "127.0.0.1", "--port", str(settings.clickhouse_port), "--path", path)
        wanted.append(Program("clickhouse", "server", ("-m", "embedded.clickhouse", *address), CLICKHOUSE))
    return wanted


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


def declared(programs: Sequence[Program]) -> str:
    """Return the programs as JSON, for those who look on: what should run, and why the rest does not."""
    return json.dumps(
        [
            {
                "program": program.name,
                "kind": program.kind,
                "processes": program.process_names,
                "venue": program.venue,
                "enabled": program.why_not is None,
                "why": program.why_not or "",
            }
            for program in programs
        ]
    )
