"""What feeds the ingesters: the venues themselves, or the simulator in their place."""

import json
from collections.abc import Mapping
from pathlib import Path

from common.settings import Settings
from launch import ports
from launch.options import Options
from launch.programs import SIMULATOR, Program
from launch.report import CannotStart
from simulator.capture import CaptureRefused, read_header

PORTS = 24  # more than the simulated venues need


def check_files(options: Options) -> None:
    """Raise CannotStart, before anything is started, when a file is no recording; that it is whole, its reader says."""
    missing = [f"{file}: no such file" for file in options.files if not file.is_file()]
    if missing:
        raise CannotStart(*missing)
    try:
        for file in options.files:
            read_header(file)
    except (CaptureRefused, OSError) as error:
        raise CannotStart(str(error)) from error


def simulator(options: Options, addresses: Path) -> Program:
    """Return the simulator as a program; on ports of its own choosing, which it finds again when it is restarted."""
    feed = ("--demo",) if options.feed == "demo" else ("--replay", *map(str, options.files), "--speed", options.speed)
    base = ports.free_range(PORTS)
    arguments = ("-m", "simulator", *feed, "--port-base", str(base), "--addresses", str(addresses))
    return Program("simulator", "server", arguments, SIMULATOR)


def read_addresses(addresses: Path) -> Mapping[str, str] | None:
    """Return the settings that lead ingesters to the simulator, None while it has not said them."""
    try:
        told: Mapping[str, str] = json.loads(addresses.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return {name: value for name, value in told.items() if name.lower() in Settings.model_fields}
