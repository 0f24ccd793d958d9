"""What can be wrong with a tenant's folders."""

from shared.kernel.ids import SubstrateId


class PlaceGone(Exception):
    """The substrate has no folders here (any more)."""

    def __init__(self, substrate: SubstrateId) -> None:
        super().__init__(f"{substrate} has no folders on this host")


class PlaceLocked(Exception):
    """Somebody else has been starting or stopping this server for longer than anybody may."""


class NotAFolder(Exception):
    """Something else stands where a folder of ours should be: nothing of ours makes that."""


class SlugTaken(Exception):
    """The slug's file names another substrate. Slugs are never reused, so this is never right."""
