"""Reading a test report strictly: nothing skipped, and every kind of test was really there."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

KINDS: Final = ("postgres", "redis", "containers", "journey", "clients")
"""Markers of which at least one test must have passed: without them green means little."""

PROPERTY: Final = "kind"
"""How `tests/conftest.py` notes a test's markers in the report."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a report says."""

    passed: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    missing: tuple[str, ...]
    """Kinds of which no test passed."""

    @property
    def is_good(self) -> bool:
        """Whether the pipeline may be green."""
        return bool(self.passed) and not (self.failed or self.skipped or self.missing)

    def __str__(self) -> str:
        """One line, and one more for each thing that is wrong."""
        lines = [f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"]
        lines += [f"failed: {name}" for name in self.failed]
        lines += [f"skipped: {name}" for name in self.skipped]
        lines += [f"no test marked “{kind}” has passed" for kind in self.missing]
        return "\n".join(lines)


def of(report: Path) -> Verdict:
    """The verdict on a JUnit report."""
    failed, skipped, kinds, passed = [], [], Counter[str](), 0
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own report, written a moment ago
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif case.find("skipped") is not None:
            skipped.append(name)
        else:
            passed += 1
            kinds.update(note.get("value", "") for note in case.iter("property") if note.get("name") == PROPERTY)
    missing = tuple(kind for kind in KINDS if not kinds[kind])
    return Verdict(passed, tuple(failed), tuple(skipped), missing)


if __name__ == "__main__":
    verdict = of(Path(sys.argv[1]))
    sys.stdout.write(f"{verdict}\n")
    sys.exit(not verdict.is_good)
