"""Who acts at a prompt, for what is written down of it."""

import getpass

from monitoring.doing.deeds import Who


def person() -> Who:
    """Return the user of this machine that runs the command."""
    return Who(getpass.getuser(), "fleet")
