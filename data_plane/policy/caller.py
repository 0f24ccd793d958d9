"""Who is asking: a key's grant under the policy that admitted it."""

from dataclasses import dataclass

from data_plane.policy.errors import ModeRefuses, NamespaceNotBound, ProbeOpensWhoamiOnly, ScopeMissing
from shared.contracts.modes import SCOPE_FOR, Action, allows
from shared.contracts.policy import KeyGrant, Policy, Scope
from shared.kernel.errors import AppError

DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's key, and what it may do."""

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    namespaces: tuple[str, ...] | None
    """The namespaces it is bound to; `None` is all."""
    expires_at_ms: int | None
    policy: Policy
    is_probe: bool = False

    @classmethod
    def of(cls, grant: KeyGrant, policy: Policy) -> "Caller":
        """The caller that a grant makes."""
        return cls(
            key_id=grant.key_id,
            name=grant.name,
            scopes=grant.scopes,
            namespaces=grant.namespaces,
            expires_at_ms=grant.not_after_ms,
            policy=policy,
        )

    @classmethod
    def for_probe(cls, policy: Policy) -> "Caller":
        """The host, asking whether the server is ready."""
        return cls(
            key_id="probe", name="probe", scopes=(), namespaces=(), expires_at_ms=None, policy=policy, is_probe=True
        )

    def refusal(self, action: Action) -> AppError | None:
        """Why this caller may not do this now, or `None`."""
        if self.is_probe:
            return ProbeOpensWhoamiOnly()
        needed = SCOPE_FOR[action]
        if needed not in self.scopes:
            return ScopeMissing(shown={"scope": needed.value, "has": ", ".join(self.scopes) or "none"}, key=self.key_id)
        if not allows(self.policy.mode, action):
            reason = f" ({self.policy.mode_reason})" if self.policy.mode_reason else ""
            return ModeRefuses(shown={"mode": self.policy.mode.value, "reason": reason, "action": action.value})
        return None

    def require(self, action: Action) -> None:
        """Go on only if this caller may do this now.

        Raises:
            ScopeMissing: the key does not have the scope.
            ModeRefuses: the substrate's mode does not allow it.
        """
        refused = self.refusal(action)
        if refused is not None:
            raise refused

    def one_namespace(self, asked: str | None) -> str:
        """The namespace in which a name is looked up: the one asked for, else the key's own first, else the default.

        Raises:
            NamespaceNotBound: the key is bound to others.
        """
        if asked is None:
            if self.namespaces is None or DEFAULT_NAMESPACE in self.namespaces:
                return DEFAULT_NAMESPACE
            if self.namespaces:
                return self.namespaces[0]
            raise NamespaceNotBound(shown={"namespace": DEFAULT_NAMESPACE, "bound": "none"})
        if self.namespaces is not None and asked not in self.namespaces:
            raise NamespaceNotBound(shown={"namespace": asked, "bound": ", ".join(self.namespaces) or "none"})
        return asked

    def readable_namespaces(self, asked: str | None) -> tuple[str, ...] | None:
        """Where to look when several namespaces are possible; `None` is everywhere.

        Raises:
            NamespaceNotBound: the key is bound to others.
        """
        return self.namespaces if asked is None else (self.one_namespace(asked),)
