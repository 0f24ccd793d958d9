"""What can be wrong with an atom or with asking for one."""

from shared.kernel.errors import AppError


class AtomRefused(AppError):
    """A member of a draft does not follow its rule."""

    code = "atom_refused"
    status = 400
    public = "{where} {problem}."
    next_action = "{fix}"


class NoAtoms(AppError):
    """A save has nothing to save."""

    code = "no_atoms"
    status = 400
    public = "The save has no atoms."
    next_action = 'Put at least one into “atoms”, such as {{"content": "…"}}.'


class TooManyAtoms(AppError):
    """A save has more atoms than one save may."""

    code = "too_many_atoms"
    status = 400
    public = "The save has {count} atoms; one save takes at most {limit}."
    next_action = "Send them in several saves."


class AtomTooLarge(AppError):
    """The content is larger than the plan allows."""

    code = "atom_too_large"
    status = 413
    public = "{where}.content has {size} bytes; the plan's atoms have at most {limit}."
    next_action = "Split it into several atoms."


class SecretFound(AppError):
    """The content seems to hold a credential."""

    code = "secret_found"
    status = 422
    public = "{where}.content seems to hold a secret ({kind}) at character {position}; nothing was saved."
    next_action = "Take it out; if it is none, save again with allow_secrets set to true, which is recorded."


class AtomNotFound(AppError):
    """No live atom has the name."""

    code = "atom_not_found"
    status = 404
    public = "There is no live atom named “{name}” in the namespace “{namespace}”."
    next_action = "List or search the memory to find its name; a forgotten atom's past is in its history."


class VersionConflict(AppError):
    """Somebody else saved the name in between."""

    code = "version_conflict"
    status = 409
    public = "{where}: the newest version of “{name}” is {found}, not {expected}; nothing was changed."
    next_action = "Read the atom again, then save with its version."


class AtomLimitReached(AppError):
    """The save would go over the plan's number of live atoms."""

    code = "atom_limit_reached"
    status = 403
    public = "The plan holds {limit} atoms; {used} are live and this would add {added}. Nothing was saved."
    next_action = "Forget some atoms; a larger plan holds more."


class IdempotencyKeyReused(AppError):
    """The idempotency key came with another body before."""

    code = "idempotency_key_reused"
    status = 422
    public = "This idempotency key was used for another save before."
    next_action = "Use a new key for a new save."


class CursorRefused(AppError):
    """The cursor is none of ours."""

    code = "cursor_refused"
    status = 400
    public = "The cursor is not one that this server gave."
    next_action = "Start again without a cursor."
