"""`fleet bench`: what we claim, measured on this machine beside its peers and its limit."""

import os
import sys
from typing import Annotated

import typer

EXAMPLES = """
Examples:  fleet bench --quick  |  fleet bench --json > bench.json  |  fleet bench --only latency
"""


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="At most a minute, with rougher figures.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,  # noqa: FBT002
    only: Annotated[str, typer.Option("--only", help="throughput, peers, limit, latency, memory or books.")] = "",
) -> None:
    """Measure events per CPU-second, latency and memory with private servers; the running fleet is left alone."""
    words = [sys.executable, "-m", "benchmarks"]
    words += ["--quick"] * quick + ["--json"] * as_json + (["--only", only] if only else [])
    os.execv(sys.executable, words)  # noqa: S606  our own package, in our own interpreter
