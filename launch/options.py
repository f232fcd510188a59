"""What start.sh was asked to do. Standard library only: it is read before any package is installed."""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = """examples:
  ./start.sh                                       live venues
  ./start.sh --demo                                every venue simulated: no internet, no keys
  ./start.sh --replay session.jsonl.gz --speed max recorded sessions, as fast as they are taken

Everything else is a setting: environment > .env > defaults; .env.example names them all."""


@dataclass(frozen=True)
class Options:
    """What feeds the fleet: `files` for a replay, `speed` as it was written."""

    feed: str  # live, demo or replay
    files: tuple[Path, ...] = ()
    speed: str = "1"

    def __str__(self) -> str:
        if self.feed != "replay":
            return self.feed
        return f"replay of {', '.join(file.name for file in self.files)} at speed {self.speed}"


def _speed(text: str) -> str:
    if text == "max":
        return text
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not (factor > 0 and math.isfinite(factor)):
        raise argparse.ArgumentTypeError(f"expected a number above 0, or max, found {text!r}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./start.sh",
        description="Set up and start the fleet; a second call says that it is running already.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    feed = parser.add_mutually_exclusive_group()
    feed.add_argument("--demo", action="store_true", help="feed the fleet from simulated venues on loopback")
    feed.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="feed the fleet from recorded sessions")
    parser.add_argument("--speed", type=_speed, metavar="X", help="of a replay: a factor, or max (default: 1)")
    parser.add_argument("--from", dest="folder", type=Path, default=Path(), help=argparse.SUPPRESS)
    return parser


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; unknown ones end the process with the usage on standard error and exit code 2."""
    parser = _parser()
    named = parser.parse_args(arguments)
    if named.speed is not None and not named.replay:
        parser.error("--speed belongs to --replay")
    if named.replay:
        files = tuple((named.folder / file).absolute() for file in named.replay)
        return Options("replay", files, named.speed or "1")
    return Options("demo" if named.demo else "live")


if __name__ == "__main__":
    parse(sys.argv[1:])
