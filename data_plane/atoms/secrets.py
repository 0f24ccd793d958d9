"""Likely secrets in a text: by known forms, and by long words of high entropy.

A memory is read by every agent that has a key, so a credential does not belong into it. The check is there for the
accident; who means it can override it, and the override is recorded.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

FORMS: Final = (
    ("private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("memory API key", re.compile(r"\bmmk_[A-Za-z0-9]{20,}")),
    ("cloud access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("service token", re.compile(r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{20,}")),
    ("repository token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,})")),
    ("chat token", re.compile(r"\bxox[abposr]-[A-Za-z0-9-]{10,}")),
    ("cloud API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}")),
    ("signed token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    ("password in an address", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]{6,}@")),
    ("password", re.compile(r"(?i)\b(?:password|passwd|secret|api[_-]?key)\s*[:=]\s*['\"]?(?=\S*\d)[^\s'\"]{10,}")),
)

LONG_WORD: Final = re.compile(r"[A-Za-z0-9+/_=-]{32,256}")
BITS_PER_CHARACTER: Final = 4.5
"""Random base64 of 32 characters has 4.6 on average; words joined by dashes and hexadecimal digests stay below 4.2."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What seems to stand where. Never the text itself."""

    kind: str
    position: int


def find_secret(text: str) -> Secret | None:
    """The first likely secret, or `None`."""
    for kind, form in FORMS:
        found = form.search(text)
        if found is not None:
            return Secret(kind=kind, position=found.start())
    for word in LONG_WORD.finditer(text):
        if _looks_random(word.group()):
            return Secret(kind="random-looking word", position=word.start())
    return None


def _looks_random(word: str) -> bool:
    classes = (any(map(str.islower, word)), any(map(str.isupper, word)), any(map(str.isdigit, word)))
    return all(classes) and _entropy(word) >= BITS_PER_CHARACTER


def _entropy(word: str) -> float:
    """Shannon's, in bits a character."""
    return -sum(count / len(word) * math.log2(count / len(word)) for count in Counter(word).values())
