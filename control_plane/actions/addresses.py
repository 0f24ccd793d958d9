"""Mail addresses: one spelling each, so that nobody has two accounts by accident."""

import re
import unicodedata
from typing import Final

from shared.kernel.errors import AppError

LENGTH_MOST: Final = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets."""

LOCAL_MOST: Final = 64
"""RFC 5321, section 4.5.3.1.1."""

LETTER: Final = r"a-z0-9\u0080-\U0010ffff"
"""RFC 6531, section 3.3: beside ASCII's, whatever is no control and no space; see `UNUSABLE`."""

ATOM: Final = rf"[{LETTER}!#$%&'*+/=?^_`{{|}}~-]+"
"""RFC 5321, section 4.1.2. Quoted local parts are not taken: nobody has one, and letters to them go astray."""

LABEL: Final = rf"[{LETTER}](?:[{LETTER}-]{{0,61}}[{LETTER}])?"

FORM: Final = re.compile(rf"{ATOM}(?:\.{ATOM})*@(?:{LABEL}\.)+[{LETTER}](?:[{LETTER}-]{{0,61}}[{LETTER}])")

ENCODED_WORD: Final = "=?"
"""RFC 2047, section 2: how a mail program is told to read something else than what is written."""

UNUSABLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
"""Controls, unassigned characters and spaces: nobody's address has them, and their lower case is not agreed on."""


class AddressUnusable(AppError):
    """This is not a mail address that a letter could be sent to."""

    code = "email_invalid"
    status = 422
    public = "“email” is not a mail address."
    next_action = "Send an address such as you@example.com."


def normal(address: str) -> str:
    """The one spelling of a mail address: trimmed, NFC, lower case.

    Raises:
        AddressUnusable: it is none.
    """
    found = unicodedata.normalize("NFC", unicodedata.normalize("NFC", address.strip()).lower())
    local, _, _ = found.partition("@")
    if (
        len(found.encode("utf-8", "replace")) > LENGTH_MOST
        or len(local) > LOCAL_MOST
        or FORM.fullmatch(found) is None
        or ENCODED_WORD in found
        or found != found.lower()
        or any(unicodedata.category(character) in UNUSABLE for character in found)
    ):
        raise AddressUnusable
    return found
