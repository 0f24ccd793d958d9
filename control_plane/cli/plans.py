"""`loam plans` and `loam subscribe`."""

import secrets

import click

from control_plane.cli.connection import Connection, Unreachable
from control_plane.cli.following import finish, interruptible, watch
from control_plane.cli.shown import Answer, command

MB = 1024 * 1024


@click.command()
@command
def plans(connection: Connection, answer: Answer) -> None:
    """What there is to subscribe to."""
    found = connection.call("GET", "/v1/plans").json()
    if answer.data(found):
        return
    rows = [
        (
            plan["id"],
            f"${plan['price_cents'] / 100:.2f}",
            f"{plan['atoms']:,}",
            "unlimited" if plan["bootstraps_per_month"] is None else f"{plan['bootstraps_per_month']:,}",
            f"{plan['storage_bytes'] // MB:,} MB",
            plan["placement"],
            plan["named_keys"],
        )
        for plan in found["plans"]
    ]
    answer.table(("plan", "a month", "atoms", "bootstraps", "storage", "placement", "keys"), rows)


@click.command()
@click.argument("plan")
@click.option("--trial", is_flag=True, help="14 days without payment, once an account.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Watch until the instance is ready.")
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to watch at most.")
@click.option("--idempotency-key", default=None, help="The same key again never subscribes twice.")
@command
def subscribe(
    connection: Connection,
    answer: Answer,
    plan: str,
    trial: bool,  # noqa: FBT001 - click passes it by name
    wait: bool,  # noqa: FBT001
    timeout: float,
    idempotency_key: str | None,
) -> None:
    """Take a plan; its instance is made at once."""
    once = idempotency_key or secrets.token_hex(16)
    again = f"loam subscribe {plan}{' --trial' if trial else ''} --idempotency-key {once}"
    unknown = (
        "No answer has come: the subscription may have been taken or not.",
        f"This goes on with the same one and never takes a second: `{again}`",
    )
    body = {"plan": plan, "trial": trial}
    with interruptible(*unknown):
        try:
            found = connection.call("POST", "/v1/subscriptions", body=body, headers={"Idempotency-Key": once}).json()
        except Unreachable:
            for sentence in unknown:
                answer.aside(sentence)
            raise
    substrate, operation = found["substrate"]["id"], found["operation"]["id"]
    if wait:
        ended = watch(
            connection,
            answer,
            operation,
            seconds=timeout,
            what=f"{substrate} is still being made",
            announced=f"{substrate} is being made: {operation}",
        )
        if ended["status"] != "succeeded":
            finish(answer, ended, seconds=timeout)
        found["operation"] = ended
        found["substrate"] = connection.call("GET", f"/v1/substrates/{found['substrate']['id']}").json()
    if answer.data(found):
        return
    answer.facts(
        {
            "substrate": found["substrate"]["id"],
            "status": found["substrate"]["status"],
            "instance": found["substrate"]["instance_url"],
            "MCP endpoint": found["substrate"]["mcp_endpoint"],
            "operation": found["operation"]["id"],
        }
    )
    answer.say(f"\nNext: loam keys claim {found['substrate']['id']}")
