"""What a program wrote, as a person reads it: JSON lines become text, and only what went wrong is kept."""

import json
from typing import Any, Final

BAD: Final = frozenset({"error", "critical", "fatal", "panic", "exception"})
NOTHING: Final = "(it has written nothing)"
MOST: Final = 10
"""Lines of text that are shown at most."""


def errors(text: str) -> str:
    """What went wrong, each line once; where no line says so, the last lines."""
    lines = [line for line in text.splitlines() if line.strip()]
    wrong = [readable(line) for line in lines if _is_wrong(line)]
    found = wrong or [readable(line) for line in lines]
    return "\n".join(list(dict.fromkeys(found))[-MOST:]) or NOTHING


def last_error(text: str) -> str | None:
    """The last line that says what went wrong."""
    wrong = [readable(line) for line in text.splitlines() if line.strip() and _is_wrong(line)]
    return wrong[-1] if wrong else None


def readable(line: str) -> str:
    """One line as text."""
    found = _parsed(line)
    if found is None:
        return line.rstrip()
    said = str(found.get("event") or found.get("msg") or "")
    why = [str(found[name]) for name in ("detail", "next_action", "error", "err", "exception") if found.get(name)]
    return ": ".join([part for part in (said, " ".join(why)) if part]) or line.rstrip()


def _is_wrong(line: str) -> bool:
    found = _parsed(line)
    if found is not None:
        return str(found.get("level", "")).lower() in BAD
    return any(word in line for word in ("Error:", "ERROR:", "FATAL:", "PANIC:", "# Fatal", "Permission denied"))


def _parsed(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
