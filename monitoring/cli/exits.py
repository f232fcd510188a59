"""Exit codes that scripts rely on, and which error ends with which."""

from common.errors import BadSettings, StoreRefused, TickfleetError, Unreachable

OK, FAILED, USAGE, DEGRADED, NOT_RUNNING, BAD_SETTINGS = 0, 1, 2, 3, 4, 78
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
UNKNOWN_TABLE, UNKNOWN_DATABASE = 60, 81
NO_SCHEMA = (UNKNOWN_TABLE, UNKNOWN_DATABASE)


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
    if isinstance(error, StoreRefused):
        return [_of_store(error)]
    return [str(error)]


def _of_store(error: StoreRefused) -> str:
    """Return the heart of what the driver wraps into its own words."""
    if error.code == 0:
        return f"clickhouse does not answer: {error.reason}; if nothing runs: ./start.sh"
    said = error.reason.partition("DB::Exception: ")[2].partition(" (version ")[0] or error.reason
    return f"{said}; make it with: python setup_schema.py" if error.code == UNKNOWN_DATABASE else said
