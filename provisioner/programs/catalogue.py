"""Every program there is."""

from collections.abc import Mapping
from typing import Final

from provisioner.engine.program import Program
from provisioner.programs import back_up, change_plan, destroy_substrate, restore, revoke_key, start_substrate
from provisioner.programs.tools import Tools
from shared.contracts.operations import Kind

PROGRAMS: Final[Mapping[Kind, Program[Tools]]] = {
    program.kind: program
    for program in (
        start_substrate.PROGRAM,
        change_plan.PROGRAM,
        destroy_substrate.PROGRAM,
        back_up.PROGRAM,
        restore.PROGRAM,
        revoke_key.PROGRAM,
    )
}
