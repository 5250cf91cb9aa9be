"""The tariff registry and the rule registry of a Python worker, shared by its functions."""

from __future__ import annotations

import time
from threading import Lock

from flink_job.alerts.registry import RuleRegistry, open_rule_registry
from flink_job.config import Tariffs
from flink_job.tariffs.registry import TariffRegistry
from flink_job.tariffs.store import open_store

_registries: dict[Tariffs, TariffRegistry] = {}
_rule_registries: dict[tuple[Tariffs, int], RuleRegistry] = {}
_lock = Lock()


def tariff_registry(tariffs: Tariffs) -> TariffRegistry:
    """The registry of this process, one for all its threads; it is loaded when first refreshed."""
    with _lock:
        if tariffs not in _registries:
            store = open_store(tariffs.uri, tariffs.region, tariffs.endpoint)
            _registries[tariffs] = TariffRegistry(store, tariffs.refresh_s)
        return _registries[tariffs]


def refreshed(registry: TariffRegistry) -> TariffRegistry:
    """The registry, with what has changed since."""
    registry.refresh(time.monotonic())
    return registry


def rule_registry(tariffs: Tariffs, silence_s: int) -> RuleRegistry:
    """The alert rules of this process, one registry for all its threads."""
    with _lock:
        key = tariffs, silence_s
        if key not in _rule_registries:
            _rule_registries[key] = open_rule_registry(
                tariffs.rules_uri, tariffs.region, tariffs.endpoint, tariffs.rules_refresh_s, silence_s
            )
        return _rule_registries[key]


def refreshed_rules(registry: RuleRegistry) -> RuleRegistry:
    """The registry, with what has changed since."""
    registry.refresh(time.monotonic())
    return registry
