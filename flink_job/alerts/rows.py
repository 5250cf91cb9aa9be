"""Rows of the table `alerts`."""

from __future__ import annotations

from typing import NamedTuple

from flink_job.alerts.changes import Change
from flink_job.alerts.rules import SEVERITIES, Rule
from flink_job.metering.site import Entity
from flink_job.tenants import split


class AlertRow(NamedTuple):
    """A change with everything that a notification needs. Times are epoch ms; `cost_u` is in 1e-6 of `currency`."""

    tenant: str
    alert_id: str
    change_number: int
    rule_id: str
    rule_version: str
    title: str
    severity: str
    state: str
    entity: str
    site_path: str
    tags: str
    signal: str
    unit: str
    value: float
    threshold: float
    episode_ms: int
    event_ms: int
    cost_u: int
    currency: str
    historical: bool
    muted: bool
    latch: bool
    inhibited_by: str
    hint: str
    detail: str
    arrival_ms: int


def alert_row(rule: Rule, version: str, entity: Entity, change: Change, currency: str, arrival_ms: int) -> AlertRow:
    """The row of a change that the record which arrived at `arrival_ms` caused, under a version of the rules.

    `currency` is that of the record.
    """
    currency = change.currency or currency
    unit = rule.unit if rule.unit != "currency" else currency
    if rule.change_per_ms:
        unit = f"{unit} per {rule.change_per_ms // 1000} s"
    tenant, site_path = split(entity.site_path)
    return AlertRow(
        tenant,
        change.alert_id,
        change.number,
        rule.rule_id,
        version,
        rule.title,
        SEVERITIES[change.rank],
        change.state,
        entity.shown,
        site_path,
        entity.tags,
        rule.signal,
        unit,
        change.value,
        change.threshold,
        change.episode_ms,
        change.event_ms,
        change.cost_u,
        currency,
        change.historical,
        change.muted,
        rule.latch,
        ",".join(rule.inhibited_by),
        rule.hint,
        change.detail,
        arrival_ms,
    )
