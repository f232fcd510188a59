"""`python -m benchmarks`, which is what `./fleet bench` calls."""

import argparse
import json
import sys

from benchmarks.bench import FULL, PARTS, QUICK, run
from benchmarks.house import Broken
from benchmarks.report import as_json, show


def main() -> int:
    """Return 0 when everything came through exactly once, whether or not the bars are met; else 1."""
    parser = argparse.ArgumentParser(prog="fleet bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="at most a minute, with rougher figures")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", choices=PARTS, help="measure one part")
    options = parser.parse_args()
    try:
        found = run(QUICK if options.quick else FULL, (options.only,) if options.only else PARTS)
    except Broken as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(as_json(found), indent=2))
    else:
        show(found)
    return 1 if any(found.faults) else 0


if __name__ == "__main__":
    sys.exit(main())
