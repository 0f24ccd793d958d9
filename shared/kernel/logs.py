"""Structured logs: one JSON object a line, an event in words plus named fields, and no secrets.

Nobody logs a key on purpose. The last processor is for the accident: it blanks anything that has the form of a
secret of ours, wherever in the line it stands.
"""

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final, TextIO

import structlog

SECRET_SHAPES: Final = re.compile(
    r"(?:mmk|lat|lst|lpb)_[A-Za-z0-9_-]{8,}"  # API keys, account tokens, staff tokens, probes
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=-]{8,}"
)
"""What a secret looks like. Key prefixes that are shown on purpose (`mmk_abcd`) are shorter and stay."""

BLANK: Final = "[removed]"


def configure(program: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's logs to `stream` (standard error) as JSON lines."""
    shared_chain: list[Callable[..., Any]] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_program(program),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_chain,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                without_secrets,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[*shared_chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one module."""
    found: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return found


def without_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The line with everything that looks like a secret blanked, at any depth."""
    return {name: _blanked(value) for name, value in line.items()}


def _blanked(value: Any) -> Any:
    match value:
        case str():
            return SECRET_SHAPES.sub(BLANK, value)
        case dict():
            return {name: _blanked(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_blanked(inner) for inner in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _blanked(str(value))


def _with_program(program: str) -> Callable[..., MutableMapping[str, Any]]:
    def add(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line["program"] = program
        return line

    return add
