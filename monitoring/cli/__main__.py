"""`python -m monitoring.cli`, which is what `./fleet` calls."""

import os
import sys

from monitoring.cli.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
