"""What a policy refuses, apart from keys (`shared.keys.verdict` has those)."""

from shared.kernel.errors import AppError
from shared.keys.verdict import REALM


class NoPolicy(AppError):
    """The server has no valid policy and so opens nothing."""

    code = "no_policy"
    status = 503
    public = "This instance is not set up yet."
    next_action = "Try again in a few seconds; if it lasts, ask support."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 10.2.3."""
        return {"Retry-After": "2"}


class ScopeMissing(AppError):
    """The key is good, but not for this."""

    code = "scope_missing"
    status = 403
    public = "This needs a key with the scope “{scope}”; this one has: {has}."
    next_action = "Use another key, or create one with the scope “{scope}”: `loam keys create`."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 6750, section 3.1."""
        return {
            "WWW-Authenticate": f'Bearer realm="{REALM}", error="insufficient_scope", scope="{self.shown["scope"]}"'
        }


class ProbeOpensWhoamiOnly(AppError):
    """The host's probe asked for something else than `whoami`."""

    code = "probe_opens_whoami_only"
    status = 403
    public = "The probe opens GET /v1/whoami only."
    next_action = "Use an API key."


class ModeRefuses(AppError):
    """The substrate's mode does not allow the action."""

    code = "mode_refuses"
    status = 403
    public = "This substrate is {mode}{reason}, which does not allow to {action}."
    next_action = "`loam substrates show` says why; ask support how to get it running again."


class NamespaceNotBound(AppError):
    """The key is bound to other namespaces."""

    code = "namespace_not_bound"
    status = 403
    public = "This key does not open the namespace “{namespace}”; it is bound to: {bound}."
    next_action = "Leave the namespace out, or use a key that opens it."


class PolicyNotAccepted(AppError):
    """A pushed policy is malformed, unsigned, or another substrate's."""

    code = "policy_refused"
    status = 422
    public = "The policy was not applied: {why}."
    next_action = "Push a policy that the trusted key has signed for this substrate."


class PolicyOlder(AppError):
    """A pushed policy is older than one that was applied before."""

    code = "policy_older"
    status = 409
    public = "The policy {offered} is older than {applied}, which was applied before."
    next_action = "Push the newest policy."
