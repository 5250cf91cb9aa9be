"""The tariff registry and the rule registry of a Python worker, shared by its functions and their threads."""

from __future__ import annotations

from threading import Lock

from flink_job.alerts.registry import RuleRegistry, open_rule_registry
from flink_job.config import Tariffs
from flink_job.io.locations import open_location
from flink_job.tariffs.registry import TariffRegistry

_tariff_registries: dict[Tariffs, TariffRegistry] = {}
_rule_registries: dict[tuple[Tariffs, int], RuleRegistry] = {}
_lock = Lock()


def tariff_registry(tariffs: Tariffs) -> TariffRegistry:
    """The tariff registry of this process; its first refresh loads it."""
    with _lock:
        if tariffs not in _tariff_registries:
            location = open_location(tariffs.uri, tariffs.region, tariffs.endpoint)
            _tariff_registries[tariffs] = TariffRegistry(location, tariffs.refresh_s, keeps_copies=tariffs.keep_copies)
        return _tariff_registries[tariffs]


def rule_registry(tariffs: Tariffs, silence_s: int) -> RuleRegistry:
    """The rule registry of this process; its first refresh loads it.

    `silence_s` is the setting of the job: rules with a shorter `no_data` are faulty.
    """
    with _lock:
        key = tariffs, silence_s
        if key not in _rule_registries:
            _rule_registries[key] = open_rule_registry(
                tariffs.rules_uri, tariffs.region, tariffs.endpoint, tariffs.rules_refresh_s, silence_s
            )
        return _rule_registries[key]
