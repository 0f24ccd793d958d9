"""What is refused before a request reaches either face."""

from shared.kernel.errors import AppError


class HostUnknown(AppError):
    """The request names a host that this instance is not: RFC 9110, section 15.5.20."""

    code = "host_unknown"
    status = 421
    public = "This instance is not addressed by that host name."
    next_action = "Use the instance's own address, as `loam substrates show` has it."


class OriginRefused(AppError):
    """A page of another origin tries to use the memory through somebody's browser."""

    code = "origin_refused"
    status = 403
    public = "Requests from pages of other origins are not allowed."
    next_action = "Call the API from a program, or from a page of the instance's own origin."


class UsesApiKeys(AppError):
    """A client looks for OAuth."""

    code = "uses_api_keys"
    status = 404
    public = "This server uses API keys, not OAuth."
    next_action = (
        "Check the API key in the header “Authorization: Bearer <your key>”; `loam substrates connect` has the snippet."
    )


class RegistrationRefused(UsesApiKeys):
    """A client wants to register itself by OAuth: RFC 7591."""

    status = 400
    code = "registration_refused"
    public = "There is no client registration: this server uses API keys. Check the one in the Authorization header."


class BodyTooLarge(AppError):
    """The request's body is larger than any request needs."""

    code = "too_large"
    status = 413
    public = "The request is larger than {limit} bytes."
    next_action = "Send less in one request."
