"""The API's description as a page: pure, from the OpenAPI document to HTML, without a script or a foreign host."""

import shlex
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

Node = Mapping[str, Any]

METHODS: Final = ("get", "post", "put", "patch", "delete")
DEPTH_MOST: Final = 6
"""How deep members are listed; deeper ones are named only."""

STYLE: Final = """
:root { color-scheme: light dark; --ink: light-dark(#1d2321, #e4e9e6); --soft: light-dark(#5c6763, #9aa7a2);
  --paper: light-dark(#fbfbf8, #161a18); --card: light-dark(#fff, #1e2321); --line: light-dark(#dfe3df, #343b38);
  --get: #2f6f4f; --post: #8a5a00; --delete: #a4373a; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 6rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0; } h2 { margin: 3rem 0 .5rem; font-size: 1.25rem; }
h3 { margin: 0; font-size: 1rem; font-weight: 600; }
h4 { margin: 1.2rem 0 .3rem; font-size: .85rem; color: var(--soft); }
a { color: inherit; } nav { display: flex; flex-wrap: wrap; gap: .4rem 1rem; margin: 1.5rem 0; }
.soft { color: var(--soft); } details { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  margin: .6rem 0; } summary { padding: .7rem 1rem; cursor: pointer; display: flex; flex-wrap: wrap; gap: .3rem .8rem;
  align-items: baseline; } summary:focus-visible { outline: 2px solid var(--get); outline-offset: 2px; }
details > div { padding: 0 1rem 1rem; border-top: 1px solid var(--line); }
code, pre { font: .875rem/1.5 ui-monospace, monospace; } summary code { overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .4rem; margin: .3rem 0; }
.method { font: 700 .75rem/1.6 ui-monospace, monospace; padding: 0 .5em; border-radius: .3rem; color: #fff; }
.get { background: var(--get); } .post { background: var(--post); } .delete { background: var(--delete); }
.tag { font-size: .75rem; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6em; color: var(--soft); }
dl { margin: 0; display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .25rem 1.2rem; }
dt { overflow-wrap: anywhere; } dd { margin: 0; }
@media (max-width: 40rem) { dl { display: block; } dd { margin: 0 0 .5rem; } }
""".strip()


def render(schema: Node, api_url: str, *, ca_file: str | None = None) -> str:
    """The whole page; `ca_file` is what curl must be told to trust, where a private authority signs."""
    curl = f"curl --cacert {shlex.quote(ca_file)} {api_url}" if ca_file else f"curl {api_url}"
    groups = _groups(schema)
    info = schema["info"]
    links = "".join(f'<a href="#{_anchor(tag)}">{escape(tag)}</a>' for tag in groups)
    sections = "".join(
        f'<section><h2 id="{_anchor(tag)}">{escape(tag)}</h2>{"".join(entries)}</section>'
        for tag, entries in _rendered(schema, groups, curl)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}: API</title>"
        '<link rel="stylesheet" href="/v1/docs.css"></head><body>'
        f'<header><h1>{escape(info["title"])} <span class="soft">{escape(info["version"])}</span></h1>'
        f"<p>{escape(info['description'])}</p>"
        f'<p class="soft">Address: <code>{escape(api_url)}</code> · '
        'machine-readable: <a href="/v1/openapi.json">openapi.json</a></p>'
        "<p>The memory itself is at each instance's own address: MCP under <code>/mcp</code>, REST under "
        "<code>/v1</code>, described at <code>/v1/openapi.json</code> there (with a key).</p></header>"
        f'<nav aria-label="Groups">{links}</nav><main>{sections}</main></body></html>'
    )


def _groups(schema: Node) -> dict[str, list[tuple[str, str, Node]]]:
    """The operations by tag, each as (method, path, operation)."""
    groups: dict[str, list[tuple[str, str, Node]]] = {}
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                tag = (item[method].get("tags") or ["Other"])[0]
                groups.setdefault(tag, []).append((method, path, item[method]))
    return groups


def _rendered(
    schema: Node, groups: Mapping[str, list[tuple[str, str, Node]]], curl: str
) -> Iterator[tuple[str, list[str]]]:
    for tag, found in groups.items():
        yield tag, [_operation(schema, method, path, node, curl) for method, path, node in found]


def _operation(schema: Node, method: str, path: str, node: Node, curl: str) -> str:
    public = '<span class="tag">public</span>' if node.get("security") == [] else ""
    body = _json_schema(node.get("requestBody"))
    parts = [f"<p>{escape(node.get('description', ''))}</p>"]
    parameters = [_parameter(schema, one) for one in node.get("parameters", [])]
    if parameters:
        parts.append(f"<h4>Parameters</h4><dl>{''.join(parameters)}</dl>")
    if body is not None:
        parts.append(f"<h4>Request</h4><dl>{''.join(_members(schema, body))}</dl>")
    for status, answer in sorted(node.get("responses", {}).items()):
        if status != "default":
            parts.append(_answer(schema, status, answer))
    parts.append(f"<h4>With curl</h4><pre>{escape(_curl(schema, method, path, node, curl))}</pre>")
    return (
        f'<details id="{escape(node["operationId"])}"><summary><span class="method {method}">{method.upper()}</span>'
        f"<code>{escape(path)}</code><h3>{escape(node.get('summary') or '')}</h3>{public}</summary>"
        f"<div>{''.join(parts)}</div></details>"
    )


def _parameter(schema: Node, node: Node) -> str:
    kind = _kind(schema, node.get("schema", {}))
    note = escape(node.get("description") or "")
    where = "" if node.get("required") else "optional, "
    return (
        f'<dt><code>{escape(node["name"])}</code></dt><dd><span class="soft">{where}{escape(kind)}</span> {note}</dd>'
    )


def _answer(schema: Node, status: str, node: Node) -> str:
    found = _json_schema(node)
    members = f"<dl>{''.join(_members(schema, found))}</dl>" if found is not None else ""
    return f'<h4>Answer {escape(status)}</h4><p class="soft">{escape(node.get("description") or "")}</p>{members}'


def _members(schema: Node, node: Node, prefix: str = "", depth: int = 0) -> Iterator[str]:
    """Every member of an object, those of inner objects with a dotted name."""
    found = _resolved(schema, node)
    required = found.get("required", [])
    for name, member in found.get("properties", {}).items():
        full = f"{prefix}{name}"
        optional = "" if name in required else "optional, "
        note = escape(_resolved(schema, member).get("description") or "") if "$ref" not in member else ""
        kind = escape(_kind(schema, member))
        yield f'<dt><code>{escape(full)}</code></dt><dd><span class="soft">{optional}{kind}</span> {note}</dd>'
        inner, suffix = _inner(schema, member)
        if inner is not None and depth < DEPTH_MOST:
            yield from _members(schema, inner, f"{full}{suffix}.", depth + 1)


def _inner(schema: Node, node: Node) -> tuple[Node | None, str]:
    """The object that a member is, or that its items are."""
    for one in _choices(_resolved(schema, node)):
        found = _resolved(schema, one)
        if found.get("type") == "array":
            item = _resolved(schema, found.get("items", {}))
            return (item, "[]") if "properties" in item else (None, "")
        if "properties" in found:
            return found, ""
    return None, ""


def _kind(schema: Node, node: Node) -> str:
    """A member's kind in a few words."""
    words = []
    for one in _choices(_resolved(schema, node)):
        found = _resolved(schema, one)
        if "enum" in found:
            words.append(" | ".join(str(value) for value in found["enum"]))
        elif found.get("type") == "array":
            words.append(f"list of {_kind(schema, found.get('items', {}))}")
        else:
            kind = found.get("type", "any")
            words.append(" or ".join(kind) if isinstance(kind, list) else f"{kind}")
    return " or ".join(dict.fromkeys(words))


def _choices(node: Node) -> list[Node]:
    return list(node.get("oneOf") or node.get("anyOf") or [node])


def _resolved(schema: Node, node: Node) -> Node:
    while "$ref" in node:
        found: Node = schema
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node


def _json_schema(node: Node | None) -> Node | None:
    found: Node | None = ((node or {}).get("content") or {}).get("application/json", {}).get("schema")
    return found


def _curl(schema: Node, method: str, path: str, node: Node, curl: str) -> str:
    lines = [f"{curl}{path}"]
    if node.get("security") != []:
        lines.append('-H "Authorization: Bearer $LOAM_TOKEN"')
    body = _json_schema(node.get("requestBody"))
    if method == "delete" or (method == "post" and body is None):
        lines.append(f"-X {method.upper()}")
    if body is not None:
        lines.append(f"--json '{_example(schema, body)}'")
    return " \\\n  ".join(lines)


def _example(schema: Node, node: Node) -> str:
    found = _resolved(schema, node)
    required = found.get("required") or list(found.get("properties", {}))
    members = [f'"{name}": {_value(schema, found["properties"][name])}' for name in required]
    return "{" + ", ".join(members) + "}"


def _value(schema: Node, node: Node) -> str:
    found = _resolved(schema, _choices(_resolved(schema, node))[0])
    if "enum" in found:
        return f'"{found["enum"][0]}"'
    return {"boolean": "true", "integer": "1", "array": "[]", "object": "{}"}.get(str(found.get("type")), '"…"')


def _anchor(tag: str) -> str:
    return "group-" + escape(tag.lower().replace(" ", "-"))
