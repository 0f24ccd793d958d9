"""Ids as they come in addresses: a text that cannot be an id names nothing, and reaches no database."""

import re
from typing import Final

from shared.kernel.errors import NotFound
from shared.kernel.ids import BackupId, KeyId, OperationId, SubscriptionId, SubstrateId

FORM: Final = re.compile(r"[a-z]{2,5}_[a-z0-9]{1,40}")


def substrate(text: str) -> SubstrateId:
    """A substrate's id, or `NotFound`."""
    return SubstrateId(_checked(text))


def subscription(text: str) -> SubscriptionId:
    """A subscription's id, or `NotFound`."""
    return SubscriptionId(_checked(text))


def key(text: str) -> KeyId:
    """A key's id, or `NotFound`."""
    return KeyId(_checked(text))


def operation(text: str) -> OperationId:
    """An operation's id, or `NotFound`."""
    return OperationId(_checked(text))


def backup(text: str) -> BackupId:
    """A backup's id, or `NotFound`."""
    return BackupId(_checked(text))


def _checked(text: str) -> str:
    if FORM.fullmatch(text) is None:
        raise NotFound
    return text
