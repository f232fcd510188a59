"""A trouble that comes again every second is told when it begins, and when it becomes another one."""

from structlog.stdlib import BoundLogger


class Trouble:
    """What keeps a task from going on, as far as the log has been told."""

    def __init__(self, log: BoundLogger, event: str) -> None:
        self._log = log
        self._event = event
        self._told = ""

    def lasts(self, error: Exception) -> None:
        """Tell the log of an error, unless that was the last it was told."""
        if str(error) != self._told:
            self._told = str(error)
            self._log.warning(self._event, reason=self._told)

    def is_over(self) -> None:
        """Take note that it went well, so that the next error is told whatever it is."""
        self._told = ""
