"""ETags: RFC 9110, section 8.8.3. A reader that has the newest state is told so in a few bytes."""

import hashlib
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response

S = TypeVar("S", bound=msgspec.Struct)


def tag_of(view: msgspec.Struct, *, without: tuple[str, ...] = ()) -> str:
    """The state's tag; members that only say when it was looked at are left out. Weak: bytes may differ."""
    members = msgspec.to_builtins(view)
    for name in without:
        members.pop(name, None)
    return f'W/"{hashlib.sha256(msgspec.json.encode(members)).hexdigest()[:24]}"'


def is_known(request: Request[Any, Any, Any], tag: str) -> bool:
    """Whether `If-None-Match` names the tag."""
    header = request.headers.get("if-none-match", "")
    return header == "*" or tag in [one.strip() for one in header.split(",")]


def answer(request: Request[Any, Any, Any], view: S, *, without: tuple[str, ...] = ()) -> Response[S]:
    """The view with its tag, or 304 for a reader that has it."""
    tag = tag_of(view, without=without)
    if is_known(request, tag):
        return Response(None, status_code=304, headers={"ETag": tag})  # type: ignore[arg-type]  # 304 has no body
    return Response(view, headers={"ETag": tag})
