"""Files that are made from the code: `python -m deploy.generate` writes them, `--check` says which are stale.

- `deploy/env/<program>.env.example`: every setting with its meaning and default;
- the diagrams and the table of plans in `shared/README.md`, between markers.
"""

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic_core import PydanticUndefined

from control_plane.settings import ControlPlaneSettings
from deploy.local.settings import LocalSettings
from provisioner.settings import ProvisionerSettings
from shared.kernel.settings import Settings
from shared.lifecycle import api_key, operation, subscription, substrate
from shared.plans import GB, KB, MB, PLANS, Plan

ROOT: Final = Path(__file__).parent.parent
PROGRAMS: Final[dict[str, type[Settings]]] = {
    "loam": LocalSettings,
    "control_plane": ControlPlaneSettings,
    "provisioner": ProvisionerSettings,
}
TABLES: Final[dict[str, Mapping[Any, Mapping[Any, Any]]]] = {
    "Substrate": substrate.TABLE,
    "Subscription": subscription.TABLE,
    "API key": api_key.TABLE,
    "Operation": operation.TABLE,
}


def env_example(settings: type[Settings]) -> str:
    """A commented file with every setting of one program."""
    prefix = str(settings.model_config.get("env_prefix", "")).upper()
    lines = [f"# {line}".rstrip() for line in (settings.__doc__ or "").strip().splitlines()[:1]]
    for name, field in settings.model_fields.items():
        lines += ["", *(f"# {line.strip()}" for line in (field.description or "").splitlines())]
        if field.is_required():
            lines.append(f"{prefix}{name.upper()}=")
        else:
            default = "" if field.default in {None, PydanticUndefined} else field.default
            lines.append(f"# {prefix}{name.upper()}={default.value if isinstance(default, StrEnum) else default}")
    return "\n".join(lines) + "\n"


def diagram(table: Mapping[Any, Mapping[Any, Any]]) -> str:
    """A table of states as a Mermaid diagram."""
    rows = [
        f"    {state.value} --> {becomes.value}: {event.value.replace('_', ' ')}"
        for state, events in table.items()
        for event, becomes in events.items()
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *rows, "```"])


def plans_table() -> str:
    """The plans as a Markdown table."""
    head = (
        "| plan | $/month | atoms | bootstraps/month | storage | one atom | placement | memory, CPU | keys | members |"
    )
    return "\n".join([head, "| --- " * 10 + "|", *(_plan_row(plan) for plan in PLANS.values())])


def _plan_row(plan: Plan) -> str:
    storage = f"{plan.storage_bytes // GB} GB" if plan.storage_bytes >= GB else f"{plan.storage_bytes // MB} MB"
    bootstraps = "unlimited" if plan.bootstraps_per_month is None else f"{plan.bootstraps_per_month:,}"
    cells = [
        plan.id.value,
        f"{plan.price_cents / 100:g}",
        f"{plan.atoms:,}",
        bootstraps,
        storage,
        f"{plan.atom_bytes // KB} KB",
        plan.placement.value,
        f"{plan.memory_mb} MB, {plan.cpus:g}",
        str(plan.named_keys),
        str(plan.members),
    ]
    return "| " + " | ".join(cells) + " |"


def generated() -> dict[Path, str]:
    """Every generated file and what it must hold."""
    files = {
        ROOT / "deploy" / "env" / f"{program}.env.example": env_example(settings)
        for program, settings in PROGRAMS.items()
    }
    page = ROOT / "shared" / "README.md"
    text = page.read_text()
    text = between(text, "plans", plans_table())
    diagrams = "\n\n".join(f"**{name}**\n\n{diagram(table)}" for name, table in TABLES.items())
    files[page] = between(text, "lifecycles", diagrams)
    return files


def between(text: str, name: str, content: str) -> str:
    """The text with what stands between a pair of markers replaced."""
    start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    before, rest = text.split(start)
    return before + start + content + end + rest.split(end)[1]


def main() -> int:
    """Write, or with `--check` compare."""
    stale = [path for path, content in generated().items() if not path.exists() or path.read_text() != content]
    if "--check" in sys.argv:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run `make fix`.\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(generated()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
