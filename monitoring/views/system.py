"""/system: programs, servers, settings and their origin, disk."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass

from common.heartbeat import VERSION
from monitoring.desk import Answer, AsOf, Desk
from monitoring.disks import Disk, ask_disks
from monitoring.facts import Disabled, Process, Server
from monitoring.overview import overview
from monitoring.page import Look, Nothing
from monitoring.settings_rows import SettingRow, settings_rows
from monitoring.supervised import Supervised, supervised
from monitoring.watch import Snapshot

SUPERVISED_EVERY_S = 2.0


@dataclass(frozen=True)
class Program:
    """A process by its heartbeat and by Supervisor; `restarts` are those seen since this dashboard began to look."""

    process: Process
    pid: int | None
    restarts: int | None
    supervised: Supervised | None


@dataclass(frozen=True)
class System:
    """All of it; `others` are processes of Supervisor that write no heartbeat."""

    programs: tuple[Program, ...]
    others: tuple[Supervised, ...]
    disabled: tuple[Disabled, ...]
    servers: tuple[Server, ...]
    versions: dict[str, str]
    disks: tuple[Disk, ...]
    settings: tuple[SettingRow, ...]
    supervisor: AsOf
    disk: AsOf


@dataclass(frozen=True)
class Found:
    """What Supervisor, the disk and the settings say."""

    supervised: Answer[dict[str, Supervised]]
    disks: Answer[tuple[Disk, ...]]
    settings: tuple[SettingRow, ...]


async def ask(desk: Desk, given: Nothing, shot: Snapshot) -> Found:
    """Return what this machine says."""
    del given, shot
    around, settings = desk.around, desk.settings
    return Found(
        await desk.of_machine("supervised", SUPERVISED_EVERY_S, lambda: supervised(around.supervisor)),
        await ask_disks(desk),
        settings_rows(settings, around.environ, around.env_file),
    )


def view(look: Look) -> System:
    """Return the machine's side of a snapshot."""
    found: Found = look.found
    fleet = overview(look.shot, look.now_ns, look.house)
    known: Mapping[str, Supervised] = found.supervised.value or {}
    beating = {one.name: one for one in look.shot.redis.processes} if look.shot.redis else {}
    programs = []
    for process in fleet.processes:
        beat = beating.get(process.name)
        pid = int(beat.figures["pid"]) if beat and "pid" in beat.figures else None
        programs.append(Program(process, pid, look.shot.restarts.get(process.name), known.get(process.name)))
    named = {process.name for process in fleet.processes}
    return System(
        programs=tuple(programs),
        others=tuple(one for name, one in sorted(known.items()) if name not in named),
        disabled=fleet.disabled,
        servers=fleet.servers,
        versions={
            "Tickfleet": VERSION,
            "Python": platform.python_version(),
            **{server.name: server.version for server in fleet.servers},
            "schema": fleet.schema.words,
        },
        disks=found.disks.value or (),
        settings=found.settings,
        supervisor=found.supervised.as_of(look.now_ns),
        disk=found.disks.as_of(look.now_ns),
    )
