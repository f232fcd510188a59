"""How full the file systems of data and logs are."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from common.settings import Settings
from monitoring.desk import Answer, Desk

EVERY_S = 5.0


@dataclass(frozen=True)
class Disk:
    """The file system that a directory is on."""

    name: str
    path: str
    total_bytes: int
    free_bytes: int

    @property
    def used(self) -> float:
        """Return which share of it is taken, 0 to 1."""
        return 1 - self.free_bytes / self.total_bytes if self.total_bytes else 0.0


async def ask_disks(desk: Desk) -> Answer[tuple[Disk, ...]]:
    """Return the file systems of data and logs."""
    settings = desk.settings
    return await desk.of_machine("disks", EVERY_S, lambda: disks(settings))


async def disk_used(desk: Desk) -> float | None:
    """Return which share of the data's file system is taken, None where the machine does not say."""
    found = (await ask_disks(desk)).value
    return found[0].used if found else None


def disks(settings: Settings) -> tuple[Disk, ...]:
    """Return the file systems of data and logs; raise OSError where one cannot be asked."""
    return tuple(_disk(name, path) for name, path in (("data", settings.data_dir), ("logs", settings.log_dir)))


def _disk(name: str, path: Path) -> Disk:
    there = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    usage = shutil.disk_usage(there)
    return Disk(name, str(path), usage.total, usage.free)
