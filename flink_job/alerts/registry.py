"""The rule registry: a rules document per tenant, polled for changes while the job runs.

The document of the tenant `default` is the one that the setting names, `rules/rules.yaml`; that of another tenant is in
a subfolder named after it, `rules/acme/rules.yaml`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping

from flink_job.alerts.document import parse_rules
from flink_job.alerts.rules import RuleSet
from flink_job.io.locations import Location, open_document
from flink_job.io.polled_registry import DocumentRegistry, tenant_of_document
from flink_job.tenants import DEFAULT, is_tenant

log = logging.getLogger(__name__)
#: Key of the fault that tenants' documents cannot be listed; no document has this name.
LISTING = "*"


class RuleRegistry(DocumentRegistry):
    """The latest usable version of each rules document, as one RuleSet.

    A document that becomes faulty or is deleted stays in force as it was; to remove all its rules, write an empty list.
    Faults are logged, not raised: costs do not depend on rules. Without a location there are no rules.
    """

    def __init__(
        self,
        location: Location | None,
        name: str,
        refresh_s: float = 60.0,
        silence_s: int = 0,
        *,
        with_tenants: bool = False,
    ) -> None:
        super().__init__(refresh_s)
        self.location, self.name, self.silence_s, self.with_tenants = location, name, silence_s, with_tenants
        self.rules = RuleSet()
        self._by_tenant: dict[str, RuleSet] = {}

    @property
    def fault(self) -> str:
        """The fault of the document of `default`, or else of another tenant; empty if there is none."""
        return self.faults.get(self.name, "") or next((fault for fault in self.faults.values() if fault), "")

    def _changed(self) -> Iterator[tuple[str, str, bytes]]:
        if self.location is None:
            return
        for name in (self.name, *self._names_of_tenants(self.location)):
            try:
                found = self.location.read_changed(name, self._tags.get(name, ""))
            except OSError as error:
                self._reject(name, f"cannot read alert rules: {error}")
                continue
            if found is not None:
                yield name, *found

    def _names_of_tenants(self, location: Location) -> list[str]:
        if not self.with_tenants:
            return []
        try:
            names = [name for name, _ in location.list(f"/{self.name}")]
        except OSError as error:
            self._reject(LISTING, f"cannot list the alert rules of tenants: {error}")
            return []
        self.faults.pop(LISTING, None)
        return [name for name in names if name == f"{_tenant(name)}/{self.name}" and _tenant(name) != DEFAULT]

    def _accept(self, name: str, content: bytes) -> None:
        shown = self.location.describe(name) if self.location else name
        self._by_tenant[tenant_of_document(name)] = parse_rules(content, shown, self.silence_s)
        self.rules = _merged(self._by_tenant)

    def _reject(self, name: str, fault: str) -> None:
        if fault != self.faults.get(name):
            extra = {"fault": fault, "tenant": tenant_of_document(name), "in_force": self.rules.version}
            log.error("alert rules", extra=extra)
        super()._reject(name, fault)


def _tenant(name: str) -> str:
    tenant = tenant_of_document(name)
    return tenant if is_tenant(tenant) else DEFAULT


def _merged(by_tenant: Mapping[str, RuleSet]) -> RuleSet:
    """The rules of all tenants in one set, each marked with its tenant."""
    rules = tuple(
        rule if tenant == DEFAULT else dataclasses.replace(rule, tenant=tenant)
        for tenant, found in by_tenant.items()
        for rule in found.rules
    )
    own = by_tenant.get(DEFAULT, RuleSet())
    return RuleSet(own.version, rules, tuple((t, s.version) for t, s in by_tenant.items() if t != DEFAULT))


def open_rule_registry(
    uri: str,
    region: str | None = None,
    endpoint: str = "",
    refresh_s: float = 60.0,
    silence_s: int = 0,
    *,
    with_tenants: bool = True,
) -> RuleRegistry:
    """The rules at a path or s3://bucket/key, with those of other tenants; nothing is read before the first refresh.

    An empty `uri` is a registry without rules. `silence_s` [s] is the setting of the job.
    """
    if not uri:
        return RuleRegistry(None, "", refresh_s, silence_s)
    location, name = open_document(uri, region, endpoint)
    return RuleRegistry(location, name, refresh_s, silence_s, with_tenants=with_tenants)
