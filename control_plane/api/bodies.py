"""Reading a request's body: JSON of exactly the form that the handler names, or a refusal in plain words."""

from typing import Any, Final

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.status_codes import HTTP_415_UNSUPPORTED_MEDIA_TYPE

from shared.kernel.errors import InvalidRequest
from shared.registry.account_tokens import Bearer

JSON: Final = frozenset({"application/json"})

BODY_BYTES_MOST: Final = 64 * 1024
"""More than any request of this API needs."""


class JsonRequest(Request[Bearer | None, None, State]):
    """A request whose body is decoded straight into the handler's type, without any coercion."""

    async def json(self) -> Any:
        """The body as the handler's type.

        Raises:
            HTTPException: it is declared to be something else than JSON.
            InvalidRequest: it has another form; the sentence says where.
        """
        if self.content_type[0].lower() not in JSON:
            raise HTTPException(detail="The body must be JSON.", status_code=HTTP_415_UNSUPPORTED_MEDIA_TYPE)
        body = await self.body()
        field = self.route_handler.parsed_data_field
        try:
            found = msgspec.json.decode(body, type=field.annotation if field else Any)
            _refuse_nul(body)
        except msgspec.ValidationError as error:
            raise InvalidRequest(shown={"problem": f"The request does not have the right form: {error}."}) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidRequest(shown={"problem": "The body is not JSON in UTF-8."}) from None
        return found


def _refuse_nul(body: bytes) -> None:
    """U+0000 is a character in JSON, but no database text and no name holds it."""
    if b"\\u0000" in body and _has_nul(msgspec.json.decode(body)):
        raise InvalidRequest(shown={"problem": "The request holds the character U+0000, which no text here may have."})


def _has_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(_has_nul(name) or _has_nul(inner) for name, inner in value.items())
        case list():
            return any(_has_nul(inner) for inner in value)
        case _:
            return False
