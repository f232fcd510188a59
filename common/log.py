"""Structured logs: one event a line, JSON under Supervisor, colour on a terminal."""

import logging
import sys

import structlog


def configure(program: str, level: str = "info") -> None:
    """Send every log line of this process, the libraries' too, to standard output, marked with the program's name."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    ends: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if sys.stdout.isatty()
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ends],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("tickfleet").setLevel(level.upper())
    structlog.contextvars.bind_contextvars(program=program)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; events are dotted names with fields, e.g. `log.info("ingest.connected", venue="okx")`."""
    made: structlog.stdlib.BoundLogger = structlog.get_logger(f"tickfleet.{name}")
    return made
