"""What is made once when the server starts, and closed when it ends."""

from dataclasses import dataclass

from data_plane.actions.copy_memory import Copier
from data_plane.actions.memory import Memory
from data_plane.actions.policies import Policies
from data_plane.edge.activity import Activity
from data_plane.edge.uses import KeyUses
from data_plane.log.writer import Writer
from data_plane.policy.in_force import Monotonic, PolicyDesk
from data_plane.settings import TenantSettings
from data_plane.store.readers import Readers
from shared.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Parts:
    """The server's parts, connected."""

    settings: TenantSettings
    clock: Clock
    memory: Memory
    desk: PolicyDesk
    policies: Policies
    uses: KeyUses
    copier: Copier
    activity: Activity

    @classmethod
    def connect(cls, settings: TenantSettings, clock: Clock, monotonic: Monotonic) -> "Parts":
        """Everything made, nothing opened."""
        memory = Memory(writer=Writer(settings.database), readers=Readers(settings.database), clock=clock)
        desk = PolicyDesk(clock, monotonic)
        policies = Policies(memory, desk, substrate=settings.substrate, host_dir=settings.host_dir)
        return cls(
            settings=settings,
            clock=clock,
            memory=memory,
            desk=desk,
            policies=policies,
            uses=KeyUses(),
            copier=Copier(settings.database),
            activity=Activity(monotonic),
        )

    def open(self) -> None:
        """Open the memory. Blocks."""
        self.memory.writer.open()

    def close(self) -> None:
        """Finish what waits and close the memory. Blocks."""
        self.memory.readers.close()
        self.memory.writer.close()
