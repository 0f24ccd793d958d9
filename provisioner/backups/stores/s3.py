"""An S3-compatible store, through Amazon's own library, which all of them are tested with."""

import os
import shutil
import stat
from pathlib import Path
from typing import Any, Final

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from provisioner.backups.errors import StoreAway
from shared.contracts.backups import StoreKind
from shared.kernel.secret_files import OTHERS, SecretExposed

PART_BYTES: Final = 16 * 1024 * 1024
COPY_BYTES: Final = 1024 * 1024
SECONDS: Final = 20
TRIES: Final = 3
ABSENT: Final = frozenset({"404", "NoSuchKey"})


class S3Store:
    """See `provisioner.backups.stores.store.Store`."""

    kind = StoreKind.S3

    def __init__(self, *, endpoint: str | None, region: str, bucket: str, credentials: Path) -> None:
        """Nothing is asked yet."""
        self._endpoint = endpoint
        self._region = region
        self._bucket = bucket
        self._credentials = credentials
        self._made: Any = None

    def put(self, name: str, file: Path) -> None:
        """See `Store.put`. An object appears when its last part has come."""
        try:
            # One thread: several stores answer at once anyway, and a worker must not be all uploads.
            transfer = TransferConfig(multipart_chunksize=PART_BYTES, multipart_threshold=PART_BYTES, use_threads=False)
            self._client().upload_file(str(file), self._bucket, name, Config=transfer)
        except (BotoCoreError, ClientError, OSError, boto3.exceptions.Boto3Error) as error:
            raise _away(error) from error

    def fetch(self, name: str, file: Path) -> bool:
        """See `Store.fetch`."""
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            # One plain request: not every compatible store answers requests for ranges as Amazon's does.
            with (
                open(handle, "wb") as target,  # noqa: PTH123 - a descriptor, no path
                self._client().get_object(Bucket=self._bucket, Key=name)["Body"] as body,
            ):
                shutil.copyfileobj(body, target, COPY_BYTES)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ABSENT:
                file.unlink()
                return False
            raise _away(error) from error
        except (BotoCoreError, OSError) as error:
            raise _away(error) from error
        return True

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        try:
            self._client().delete_object(Bucket=self._bucket, Key=name)
        except (BotoCoreError, ClientError) as error:
            raise _away(error) from error

    def list_names(self, prefix: str) -> list[str]:
        """See `Store.list_names`."""
        try:
            pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return sorted(found["Key"] for page in pages for found in page.get("Contents", []))
        except (BotoCoreError, ClientError) as error:
            raise _away(error) from error

    def _client(self) -> Any:
        """Made when first needed: the library takes a while and some memory."""
        if self._made is None:
            key_id, secret = self._read_credentials()
            self._made = boto3.session.Session().client(
                "s3",
                endpoint_url=self._endpoint,
                region_name=self._region,
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
                config=Config(
                    connect_timeout=SECONDS,
                    read_timeout=SECONDS,
                    retries={"max_attempts": TRIES, "mode": "standard"},
                    s3={"addressing_style": "path" if self._endpoint else "auto"},
                    # Checksums that not every compatible store knows are sent only where the protocol asks for one.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        return self._made

    def _read_credentials(self) -> tuple[str, str]:
        try:
            if stat.S_IMODE(self._credentials.stat().st_mode) & OTHERS:
                raise SecretExposed(shown={"file": str(self._credentials)})
            key_id, secret = self._credentials.read_text(encoding="ascii").split()
        except (OSError, ValueError) as error:
            raise StoreAway("the file with the store's credentials cannot be read") from error
        return key_id, secret


def _away(error: Exception) -> StoreAway:
    """Without the library's words, which name addresses."""
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return StoreAway(f"the S3 store: {code or type(error).__name__}")
