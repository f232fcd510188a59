"""
The real ingester of the simplest venue, to be killed: python -m tests.faults.plain_ingester URL.

WITHOUT=spool runs it without one, to show that the tests notice.
"""

import os
import sys

from common.lifecycle import run
from ingesters.__main__ import main
from tests.ingest_kit import plain

if __name__ == "__main__":
    venue = plain(sys.argv[1])
    no_spool = {"spool_max_bytes": 0} if os.environ.get("WITHOUT") == "spool" else {}
    sys.exit(run(venue.program, lambda settings, stop: main(venue, settings.model_copy(update=no_spool), stop)))
