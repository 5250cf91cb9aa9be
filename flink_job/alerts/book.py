"""The rules in force: one document, looked at again at an interval, so that rules change while the job runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from flink_job.alerts.document import RuleError, read_rules
from flink_job.alerts.rules import RuleSet

log = logging.getLogger(__name__)

#: (tag, content) of the document, None where it is the one with the tag asked about.
Fetch = Callable[[str], tuple[str, bytes] | None]


@dataclass
class RuleBook:
    """The newest usable version of a rules document. A version with faults is not taken: the one before stays.

    `generation` grows with each version; `fault` says why the newest document was not taken.
    """

    fetch: Fetch
    name: str
    refresh_s: float = 60.0
    silence_s: int = 0
    rules: RuleSet = field(default_factory=RuleSet)
    generation: int = 0
    fault: str = ""
    _tag: str = ""
    _due_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, now_s: float) -> RuleSet:
        """The rules, looked at again at most once in `refresh_s` (monotonic seconds `now_s`)."""
        with self._lock:
            if now_s >= self._due_at:
                self._due_at = now_s + self.refresh_s
                self._load()
        return self.rules

    def _load(self) -> None:
        try:
            found = self.fetch(self._tag)
        except (OSError, BotoCoreError, ClientError) as error:
            self._fault(f"{self.name} cannot be read: {error}")
            return
        if found is None:
            return
        self._tag, content = found
        try:
            self.rules = read_rules(content, self.name, self.silence_s)
        except RuleError as error:
            self._fault(str(error))
            return
        self.fault = ""
        self.generation += 1

    def _fault(self, fault: str) -> None:
        """Costing goes on whatever the rules are like: their fault is told, not raised."""
        if fault != self.fault:
            log.error("alert rules", extra={"fault": fault, "in_force": self.rules.version})
        self.fault = fault


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
    return answer["ETag"], answer["Body"].read()
