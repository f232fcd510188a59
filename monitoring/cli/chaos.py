"""`fleet chaos`: random faults under load on a private fleet, and what was lost or doubled."""

import os
import sys
from typing import Annotated

import typer

EXAMPLES = """
Examples:  fleet chaos --minutes 2  |  fleet chaos --minutes 20 --seed 7 --json > chaos.json
"""


def chaos(
    minutes: Annotated[float, typer.Option("--minutes", help="How long faults are made.")] = 2.0,
    seed: Annotated[int, typer.Option("--seed", help="Which faults; the same seed makes the same choices.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,  # noqa: FBT002
) -> None:
    """Kill, freeze, cut and refuse at random, then count what is lost and doubled; the running fleet is left alone."""
    words = [sys.executable, "-m", "benchmarks.chaos", "--minutes", str(minutes), "--seed", str(seed)]
    os.execv(sys.executable, [*words, *["--json"] * as_json])  # noqa: S606  our own package, our own interpreter
