"""What a request is called in every log and in its answer.

The gateway makes the name and sets it in place of whatever the client sent; only the gateway reaches our sockets.
"""

import re
import secrets
from collections.abc import Iterable
from typing import Final

HEADER: Final = b"x-request-id"
FORM: Final = re.compile(rb"[0-9a-f-]{8,64}")


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The gateway's name for the request, or a fresh one where it did not come through the gateway."""
    found = [value for name, value in headers if name == HEADER]
    if len(found) == 1 and FORM.fullmatch(found[0]):
        return found[0].decode("ascii")
    return secrets.token_hex(8)
