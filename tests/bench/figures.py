"""How figures are taken and printed: p50, p95, p99, n, and the machine they come from."""

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Figures:
    """One thing measured many times."""

    what: str
    unit: str = "ms"
    bar: str = ""
    samples: list[float] = field(default_factory=list)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Take one sample of how long the block lasts."""
        begin = time.perf_counter()
        yield
        self.samples.append((time.perf_counter() - begin) * (1_000_000 if self.unit == "µs" else 1000))

    def repeat(self, times: int, do: Callable[[], object]) -> "Figures":
        """Take as many samples of a call."""
        for _ in range(times):
            with self.timed():
                do()
        return self

    def print(self) -> None:
        """One line of the table."""
        found = sorted(self.samples)
        p50, p95, p99 = statistics.median(found), _at(found, 0.95), _at(found, 0.99)
        sys.stdout.write(
            f"| {self.what} | {p50:,.2f} | {p95:,.2f} | {p99:,.2f} | {self.unit} | {len(found)} | {self.bar} |\n"
        )
        sys.stdout.flush()


def heading() -> None:
    """The machine and the table's head."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    sys.stdout.write(
        f"{os.cpu_count()} x {model}, {memory:.0f} GiB, {system}\n\n"
        "| what | p50 | p95 | p99 | unit | n | bar |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    )


def _at(found: list[float], part: float) -> float:
    """The sample below which this part of all lies (nearest rank)."""
    return found[min(len(found) - 1, max(0, round(part * len(found) + 0.5) - 1))]
