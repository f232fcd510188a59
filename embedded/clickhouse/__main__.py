"""Start the embedded ClickHouse: `python -m embedded.clickhouse --path data/clickhouse`."""

import argparse
import os
import sys
import time
from pathlib import Path


def main() -> int:
    """Return the exit code: 0 after a stop that was asked for, 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m embedded.clickhouse", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8123, help="port to listen on, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument("--path", type=Path, required=True, help="directory of the data; made if it is missing")
    parser.add_argument("--users", type=Path, help="JSON file of users; without it, `default` without a password")
    arguments = parser.parse_args()
    # The engine reads its time zone when it is loaded.
    os.environ["TZ"] = "UTC"
    time.tzset()
    from common.lifecycle import die_with_parent  # noqa: PLC0415  (see above)
    from embedded.clickhouse import engine, server, users  # noqa: PLC0415  (see above)

    die_with_parent()
    try:
        known = users.UsersFile(arguments.users).users if arguments.users else users.everybody
        server.serve(arguments.host, arguments.port, arguments.path, known)
    except (server.PortTaken, engine.EngineUnavailable, users.BadUsersFile) as error:
        print(f"clickhouse: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
