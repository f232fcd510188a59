"""What a program is to Supervisor and to those who look on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Supervisor starts in this order and stops in the reverse one, so that what feeds stops before what is fed.
REDIS, CLICKHOUSE, LISTENING, SIMULATOR, WRITER, PROCESSOR, INGESTER, DASHBOARD = 10, 20, 50, 100, 200, 300, 400, 500


@dataclass(frozen=True)
class Program:
    """
    One line for Supervisor: what `python` is called with, how many of it, and what its environment has on top.

    `why_not` is why the settings keep it from Supervisor; one that a person has switched off (`is_off`) is known there
    and not started.
    """

    name: str
    kind: str
    arguments: tuple[str, ...]
    priority: int
    venue: str = ""
    processes: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    why_not: str | None = None
    is_off: bool = False

    @property
    def is_server(self) -> bool:
        """Return whether the others stand on it."""
        return self.kind == "server"

    @property
    def is_wanted(self) -> bool:
        """Return whether it is to run now."""
        return self.why_not is None and not self.is_off

    @property
    def process_names(self) -> tuple[str, ...]:
        """Return the names of its processes: its own, or numbered ones when there are several."""
        if self.processes == 1:
            return (self.name,)
        return tuple(f"{self.name}_{number:02d}" for number in range(self.processes))


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
