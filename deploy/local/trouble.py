"""What stops a command: one sentence, what to do about it, and the detail for whoever looks closer."""


class Trouble(Exception):
    """Something on this machine is in the way, and the person can do something about it."""

    def __init__(self, sentence: str, *, fix: str, detail: str | None = None) -> None:
        """Raise with the sentence, the fix, and output worth reading, if any."""
        super().__init__(sentence)
        self.sentence = sentence
        self.fix = fix
        self.detail = detail

    def __str__(self) -> str:
        """All three, one after the other."""
        return "\n".join(part for part in (self.sentence, self.fix, self.detail) if part)
