"""Exit codes that scripts rely on, and which error ends with which."""

from common.errors import BadSettings, StoreRefused, TickfleetError, Unreachable

OK, FAILED, USAGE, DEGRADED, NOT_RUNNING, BAD_SETTINGS, INTERRUPTED = 0, 1, 2, 3, 4, 78, 130
UNKNOWN_DATABASE = 81  # https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp


def code_of(error: TickfleetError) -> int:
    """Return the exit code for an error that ended a command."""
    if isinstance(error, BadSettings):
        return BAD_SETTINGS
    if isinstance(error, Unreachable):
        return NOT_RUNNING
    if isinstance(error, StoreRefused):
        return FAILED if error.code else NOT_RUNNING
    return FAILED


def words_of(error: TickfleetError) -> list[str]:
    """Return what to tell the operator, one fault a line, each with what to do where we know it."""
    if isinstance(error, BadSettings):
        return [f"bad setting: {problem}" for problem in error.problems]
    if isinstance(error, Unreachable):
        return [f"{error}; if nothing runs: ./start.sh"]
    if isinstance(error, StoreRefused) and error.code == 0:
        return [f"clickhouse does not answer: {error.reason}; if nothing runs: ./start.sh"]
    if isinstance(error, StoreRefused) and error.code == UNKNOWN_DATABASE:
        return [f"{error.reason}; make it with: .venv/bin/python setup_schema.py"]
    return [str(error)]
