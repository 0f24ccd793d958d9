"""Reading the bearer token from an `Authorization` header: RFC 6750, section 2.1."""


def token_of(header: str | None) -> str:
    """The token, or an empty text when the header is absent or of another scheme.

    The scheme's case does not matter (RFC 9110, section 11.1). A bare key without a scheme is taken as it stands:
    several clients' settings leave the word out, and refusing it would teach nobody anything.
    """
    if header is None:
        return ""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    return scheme if not rest else ""
