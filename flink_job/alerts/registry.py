"""The rules in force: a document for each tenant, read again at an interval, so that rules change while the job runs.

The document of the tenant `default` is the one that is named, `rules/rules.yaml`; that of another lies beside it in a
folder of the tenant's name, `rules/acme/rules.yaml`.
"""

from __future__ import annotations

import dataclasses
import glob
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from flink_job.alerts.document import RuleError, parse_rules
from flink_job.alerts.rules import RuleSet
from flink_job.metering.bounds import MAX_DOCUMENT_BYTES
from flink_job.tenants import DEFAULT, is_tenant

log = logging.getLogger(__name__)
#: Under which a fault of the listing itself is kept; no tenant has this name.
LISTING = "*"

#: (tag, content) of the document, None where it is the one with the tag asked about.
Fetch = Callable[[str], tuple[str, bytes] | None]
#: (tenant, fetch) of the documents of other tenants that are there now.
Tenants = Callable[[], Iterable[tuple[str, Fetch]]]


@dataclass
class RuleRegistry:
    """The newest usable version of each rules document. Where a new one has faults, or one is gone, the one before
    stays in force: a tenant without rules any more has a document with an empty list.

    `generation` grows with each version; `fault` says why the newest document of `default`, or else of another tenant,
    was not taken.
    """

    fetch: Fetch
    name: str
    refresh_s: float = 60.0
    silence_s: int = 0
    tenants: Tenants = tuple
    rules: RuleSet = field(default_factory=RuleSet)
    generation: int = 0
    _faults: dict[str, str] = field(default_factory=dict)
    _sets: dict[str, RuleSet] = field(default_factory=dict)
    _tags: dict[str, str] = field(default_factory=dict)
    _due_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, now_s: float) -> RuleSet:
        """The rules, looked at again at most once in `refresh_s` (monotonic seconds `now_s`)."""
        with self._lock:
            if now_s >= self._due_at:
                self._due_at = now_s + self.refresh_s
                self._load()
        return self.rules

    @property
    def fault(self) -> str:
        return self._faults.get(DEFAULT, "") or next((fault for fault in self._faults.values() if fault), "")

    def _load(self) -> None:
        self._load_one(DEFAULT, self.fetch, self.name)
        try:
            others = list(self.tenants())
        except (OSError, BotoCoreError, ClientError) as error:
            self._fault(LISTING, f"the rules of tenants beside {self.name} cannot be listed: {error}")
            return
        self._faults.pop(LISTING, None)
        for tenant, fetch in others:
            self._load_one(tenant, fetch, f"{self.name} of {tenant}")

    def _load_one(self, tenant: str, fetch: Fetch, name: str) -> None:
        try:
            found = fetch(self._tags.get(tenant, ""))
        except (OSError, BotoCoreError, ClientError) as error:
            self._fault(tenant, f"{name} cannot be read: {error}")
            return
        if found is None:
            return
        self._tags[tenant], content = found
        try:
            self._sets[tenant] = parse_rules(content, name, self.silence_s)
        except RuleError as error:
            self._fault(tenant, str(error))
            return
        self._faults.pop(tenant, None)
        self.rules = _together(self._sets)
        self.generation += 1

    def _fault(self, tenant: str, fault: str) -> None:
        """Costing goes on whatever the rules are like: their fault is logged, not raised."""
        if fault != self._faults.get(tenant):
            log.error("alert rules", extra={"fault": fault, "tenant": tenant, "in_force": self.rules.version})
        self._faults[tenant] = fault


def _together(sets: Mapping[str, RuleSet]) -> RuleSet:
    """The rules of all tenants, each with its tenant."""
    rules = tuple(
        rule if tenant == DEFAULT else dataclasses.replace(rule, tenant=tenant)
        for tenant, found in sets.items()
        for rule in found.rules
    )
    own = sets.get(DEFAULT, RuleSet())
    return RuleSet(own.version, rules, tuple((t, s.version) for t, s in sets.items() if t != DEFAULT))


def open_rule_registry(
    uri: str, region: str | None = None, endpoint: str = "", refresh_s: float = 60.0, silence_s: int = 0
) -> RuleRegistry:
    """The rules at a path or s3://bucket/key, with those of other tenants; nothing is read yet."""
    fetch, tenants = open_rules(uri, region, endpoint), tenants_beside(uri, region, endpoint)
    return RuleRegistry(fetch, uri, refresh_s, silence_s, tenants)


def tenants_beside(uri: str, region: str | None = None, endpoint: str = "") -> Tenants:
    """How to find the documents of other tenants: <folder>/<tenant>/<file> beside <folder>/<file>."""
    parsed = urlparse(uri)
    if not uri:
        return tuple
    if parsed.scheme != "s3":
        path = Path(parsed.path if parsed.scheme == "file" else uri)
        return lambda: [
            (found.parent.name, open_rules(str(found)))
            for found in sorted(path.parent.glob(f"*/{glob.escape(path.name)}"))
            if is_tenant(found.parent.name) and found.parent.name != DEFAULT
        ]
    folder, _, file = parsed.path.lstrip("/").rpartition("/")
    prefix = f"{folder}/" if folder else ""
    return lambda: [
        (tenant, open_rules(f"s3://{parsed.netloc}/{prefix}{tenant}/{file}", region, endpoint))
        for tenant in _tenants_in(
            boto3.client("s3", region_name=region, endpoint_url=endpoint or None), parsed.netloc, prefix, file
        )
    ]


def _tenants_in(s3: Any, bucket: str, prefix: str, file: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            tenant, _, name = str(item["Key"]).removeprefix(prefix).partition("/")
            if name == file and is_tenant(tenant) and tenant != DEFAULT:
                yield tenant


def open_rules(uri: str, region: str | None = None, endpoint: str = "") -> Fetch:
    """How to get the document at a path or s3://bucket/key; at neither, there are no rules."""
    parsed = urlparse(uri)
    if not uri:
        return lambda tag: None
    if parsed.scheme != "s3":
        path = Path(parsed.path if parsed.scheme == "file" else uri)
        return lambda tag: _read_file(path, tag)
    bucket, key = parsed.netloc, parsed.path.lstrip("/")
    return lambda tag: _read_object(region, endpoint, bucket, key, tag)


def _read_file(path: Path, tag: str) -> tuple[str, bytes] | None:
    status = path.stat()
    found = f"{status.st_mtime_ns}-{status.st_size}"
    return None if found == tag else (found, path.read_bytes())


def _read_object(region: str | None, endpoint: str, bucket: str, key: str, tag: str) -> tuple[str, bytes] | None:
    """A conditional GET: nothing is transferred where nothing has changed."""
    s3 = boto3.client("s3", region_name=region, endpoint_url=endpoint or None)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, **({"IfNoneMatch": tag} if tag else {}))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 304:
            return None
        raise
    with answer["Body"] as body:
        # Enough to see that a document is too large; who parses it says so.
        return answer["ETag"], body.read(MAX_DOCUMENT_BYTES + 1)
