"""The stored contracts: a snapshot of the newest contract of every meter, from which a job without state starts.

NDJSON, gzip or not, in a file or at s3://bucket/key. A line is a contract as it was published, with `published_ms`:
when the contracts stream received it (epoch ms).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlparse

import boto3
import msgspec
from botocore.exceptions import ClientError

from flink_job.tenants import DEFAULT, qualified

StoredContract = tuple[str, str, int]
"""(meter as the dataflow names those of a tenant, document, published_ms)"""
_MISSING = ("NoSuchKey", "404")


class StoredContractsError(RuntimeError):
    """A snapshot that cannot be read; the message names it and the way out."""


class _Published(msgspec.Struct):
    meter_id: str
    tenant: str = ""
    published_ms: int = 0


def stored_contracts(uri: str, region: str = "", endpoint: str = "", tenant: str = DEFAULT) -> Iterator[StoredContract]:
    """Contracts of the snapshot at `uri`; none where it is empty or nothing has been stored yet.
    `tenant` is whose contracts are that name none.

    Raises StoredContractsError where it cannot be read: a job that went on would find no price for old meters.
    """
    if not uri:
        return
    try:
        with _opened(uri, region, endpoint) as raw, gzip.open(raw) if uri.endswith(".gz") else raw as lines:
            for line in lines:
                if document := line.strip():
                    found = msgspec.json.decode(document, type=_Published)
                    yield qualified(found.tenant or tenant, found.meter_id), document.decode(), found.published_ms
    except FileNotFoundError:
        return
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise _unreadable(uri, error) from None
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise _unreadable(uri, error) from None


def _opened(uri: str, region: str, endpoint: str) -> IO[bytes] | Any:
    parsed = urlparse(uri)
    if parsed.scheme != "s3":
        return Path(uri).open("rb")
    s3 = boto3.client("s3", region_name=region or None, endpoint_url=endpoint or None)
    return s3.get_object(Bucket=parsed.netloc, Key=parsed.path.lstrip("/"))["Body"]


def _unreadable(uri: str, error: Exception) -> StoredContractsError:
    return StoredContractsError(
        f"stored contracts {uri}: {error}. Write them anew with `python -m deploy contracts export`, or empty the "
        "property contracts.snapshot_uri to start from the contracts stream alone"
    )
