"""The memory that every action works on: who reads, who writes, what time it is."""

from dataclasses import dataclass

from data_plane.log.writer import Writer
from data_plane.store.readers import Readers
from shared.kernel.clock import Clock, to_ms


@dataclass(frozen=True, slots=True)
class Memory:
    """One tenant's memory, open."""

    writer: Writer
    readers: Readers
    clock: Clock

    def now_ms(self) -> int:
        """The current moment, as the database writes it."""
        return to_ms(self.clock.now())
