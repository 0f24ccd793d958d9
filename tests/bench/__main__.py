"""The main job's figures, taken on a stack of its own: `make bench`, or `python -m tests.bench --times 30`."""

import argparse
import concurrent.futures
import json
import time
from pathlib import Path
from typing import Any

import docker
import httpx

from shared.contracts.policy import DEFAULT_SCOPES, KeyGrant
from shared.kernel.clock import SystemClock
from shared.keys import format as key_format
from shared.keys.verdict import KeyTable
from tests.bench.figures import Figures, heading
from tests.support.customer import Customer, Instance
from tests.support.stack import Stack, running_stack
from tests.support.waiting import until

MCP_HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": "2025-11-25",
}
LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=30, help="how many subscriptions are measured")
    times = parser.parse_args().times
    heading()
    key_check()
    with running_stack() as stack:
        subscribe_to_first_answer(stack, "starter", times, "1,500 / 3,000 (p50 / p95)")
        subscribe_to_first_answer(stack, "team", times, "4,000 (p95)")
        with stack.customer() as somebody:
            instance = somebody.instance()
            memory(instance, "PSS of a fresh idle tenant", "45")
            gateway(stack, instance)
            saving_and_searching(instance)
            first_mcp_answer(instance)
            memory(instance, "PSS of a tenant after MCP use", "80")
            revoking(somebody, instance, times)
    with running_stack(sleep_after="PT2S") as stack:
        waking(stack, max(times, 50), 20)


def key_check() -> None:
    """How long a tenant's server takes to decide about a key, in a table of the largest plan."""
    keys = [key_format.mint() for _ in range(100)]
    table = KeyTable(
        {
            key_format.digest(key): KeyGrant(
                key_id=f"key_{number}",
                name=f"n{number}",
                digest=key_format.digest(key),
                scopes=DEFAULT_SCOPES,
                not_before_ms=0,
            )
            for number, key in enumerate(keys)
        }
    )
    clock = SystemClock()
    Figures("key check", unit="µs", bar="100").repeat(10_000, lambda: table.admit(keys[50], clock.now())).print()


def subscribe_to_first_answer(stack: Stack, plan: str, times: int, bar: str) -> None:
    """From the subscription's request to the first authenticated MCP answer through TLS, key claimed in between."""
    figures = Figures(f"subscribe → first MCP answer, {plan}", bar=bar)
    for _ in range(times):
        with stack.customer() as somebody:
            with figures.timed():
                instance = somebody.instance(plan)
                first_mcp_answer(instance)
            asked = somebody.erase(instance.id).json()
            somebody.ended(asked["operation"]["id"])
    figures.print()


def first_mcp_answer(instance: Instance) -> None:
    """One authenticated MCP request."""
    answer = instance.http.post(instance.mcp, json=LIST_TOOLS, headers={**MCP_HEADERS, **instance.authorization})
    assert answer.status_code == 200, answer.text


def memory(instance: Instance, what: str, bar: str) -> None:
    """The proportional set size of the tenant's processes, without Docker's shim."""
    pid = docker.from_env().api.inspect_container(f"loam-{instance.id}")["State"]["Pid"]
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    Figures(what, unit="MB", bar=bar, samples=[kilobytes / 1024]).print()


def gateway(stack: Stack, instance: Instance) -> None:
    """The same call through TLS and the gateway, and straight to the socket."""
    through = Figures("whoami through the gateway").repeat(500, instance.whoami)
    transport = httpx.HTTPTransport(uds=str(stack.folders(instance).live_socket))
    with httpx.Client(transport=transport, headers=instance.authorization) as direct:
        host = {"Host": httpx.URL(instance.url).netloc.decode()}
        straight = Figures("whoami straight to the socket").repeat(
            500, lambda: direct.get("http://tenant/v1/whoami", headers=host)
        )
    through.print()
    straight.print()
    added = [a - b for a, b in zip(sorted(through.samples), sorted(straight.samples), strict=True)]
    Figures("gateway over direct socket", bar="1 (p50)", samples=added).print()


def saving_and_searching(instance: Instance) -> None:
    """One durable atom at a time, and one search, over HTTPS."""
    number = iter(range(1_000_000))
    Figures("durable save of one atom, through TLS", bar="5 (p50)").repeat(
        200, lambda: instance.save(f"fact number {next(number)} about gardens")
    ).print()
    Figures("search among 200 atoms, through TLS").repeat(200, lambda: instance.search("gardens 17")).print()


def revoking(somebody: Customer, instance: Instance, times: int) -> None:
    """From the request to revoke until a request with the key is refused; asked once the revocation is acknowledged."""
    figures = Figures("revoke → refused", bar="250 (p99)")
    for number in range(times):
        body = json.dumps({"name": f"key {number}", "scopes": ["read"]})
        made = _created(somebody, instance, body)
        with figures.timed():
            somebody.call("DELETE", f"/substrates/{instance.id}/keys/{made['key']['id']}")
            refused = instance.whoami(key=made["secret"])
        assert refused.status_code == 401, refused.text
    figures.print()


def _created(somebody: Customer, instance: Instance, body: str) -> dict[str, Any]:
    """A new key; where they were made too fast, after the pause that the answer asks for."""
    while True:
        answer = somebody.call(
            "POST", f"/substrates/{instance.id}/keys", content=body, headers={"Content-Type": "application/json"}
        )
        if answer.status_code != 429:
            return dict(answer.json())
        time.sleep(int(answer.headers["Retry-After"]))


def waking(stack: Stack, times: int, burst: int) -> None:
    """A held MCP request's first byte, one tenant at a time; then many at once, asked again as they are told."""
    with stack.customer() as somebody:
        instance = somebody.instance()
        figures = Figures("wake → first MCP answer, one at a time", bar="1,000 / 2,000 (p50 / p95)")
        for _ in range(times):
            asleep(instance)
            with figures.timed():
                first_mcp_answer(instance)
        figures.print()
        instances = [somebody.instance() for _ in range(burst)]
        for one in instances:
            asleep(one)
        together = Figures(f"wake, {burst} sleepers asked at once")
        with together.timed(), concurrent.futures.ThreadPoolExecutor(burst) as pool:
            list(pool.map(insist, instances))
        together.print()


def asleep(instance: Instance) -> None:
    """Wait until it has no container."""
    engine = docker.from_env()
    label = {"label": f"loam.substrate={instance.id}"}
    until(lambda: not engine.containers.list(all=True, sparse=True, filters=label), what="it to sleep", seconds=60)


def insist(instance: Instance) -> None:
    """Ask until it is answered, as long apart as the answers say."""
    while (answer := instance.whoami()).status_code == httpx.codes.SERVICE_UNAVAILABLE:
        time.sleep(float(answer.headers["Retry-After"]))
    assert answer.status_code == httpx.codes.OK, answer.text


if __name__ == "__main__":
    main()
