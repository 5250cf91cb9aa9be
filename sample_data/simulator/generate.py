"""Generates the readings of a fleet in the order in which they are sent."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sample_data.simulator.faults import Rates, Sent, encode, with_faults
from sample_data.simulator.fleet import Meter, supply_records
from sample_data.simulator.profiles import QUARTERS, load_profiles

REGISTER_DIAL_KWH = 100_000
REGISTER_START_KWH = 99_900
QUARTER_S = 900


def generate(fleet: list[Meter], start: date, days: int, rates: Rates, seed: int) -> Iterator[bytes]:
    """Yield records in the order in which they are sent; buffers only records that are sent late."""
    pending: list[tuple[int, int, bytes]] = []
    for order, (measured_s, sent) in enumerate(_by_time(fleet, start, days, rates, seed)):
        heapq.heappush(pending, (sent[0], order, sent[1]))
        while pending and pending[0][0] < measured_s:
            yield heapq.heappop(pending)[2]
    while pending:
        yield heapq.heappop(pending)[2]


def _by_time(fleet: list[Meter], start: date, days: int, rates: Rates, seed: int) -> Iterator[tuple[int, Sent]]:
    """Yield (end of the interval [epoch s], sent record), ordered by end of the interval.

    At one time, meters come before those that measure them, too: their energy is part of the reading upstream.
    """
    states = {meter.meter_id: _MeterRun(meter, start, days, seed) for meter in fleet}
    queue = [(run.next_end_s, run.rank, name) for name, run in states.items()]
    heapq.heapify(queue)
    while queue:
        end_s, rank, name = heapq.heappop(queue)
        run = states[name]
        send_s = end_s + run.rng.randint(1, 50)
        active, reactive = run.measure()
        if upstream := run.meter.upstream:
            states[upstream].behind_kwh += active
            states[upstream].behind_kvarh += reactive
        for sent in with_faults(send_s, run.reading(active, reactive), rates, run.rng):
            yield end_s, sent
        if run.advance():
            heapq.heappush(queue, (run.next_end_s, rank, name))


class _MeterRun:
    """Readings of a meter, interval by interval, over the simulated days."""

    def __init__(self, meter: Meter, start: date, days: int, seed: int) -> None:
        zone = ZoneInfo(meter.plant.timezone)
        end = start + timedelta(days=days)
        self.meter = meter
        self.rng = random.Random(f"{seed}/{meter.seed}")
        self.profile = load_profiles()[meter.profile % len(load_profiles())]
        self.rank = {"main": 2, "part": 1}.get(meter.role, 1 if meter.upstream == meter.supply_main else 0)
        self.behind_kwh = self.behind_kvarh = 0.0
        self.start_s = int(datetime(start.year, start.month, start.day, tzinfo=zone).timestamp())
        self.end_s = int(datetime(end.year, end.month, end.day, tzinfo=zone).timestamp())
        friday = start - timedelta(days=(start.weekday() - 4) % 7)
        self.profile_start_s = int(datetime(friday.year, friday.month, friday.day, tzinfo=zone).timestamp())
        self.at_s = self.start_s
        self.sequence = 0
        self.register_kwh = float(REGISTER_START_KWH)

    @property
    def next_end_s(self) -> int:
        """End of the current interval [epoch s]."""
        return self.at_s + self.meter.interval_s

    def advance(self) -> bool:
        """Advance to the next interval. Returns False after the last."""
        self.at_s += self.meter.interval_s
        return self.at_s < self.end_s

    @property
    def quarter(self) -> int:
        """Quarter hour of the profile."""
        return (self.at_s - self.profile_start_s) // QUARTER_S % QUARTERS

    def measure(self) -> tuple[float, float]:
        """Return active and reactive energy of the current interval [kWh, kvarh], with those of the meters behind."""
        scale_kwh = self.meter.scale_kw * self.meter.interval_s / 3600
        active = self.profile.active[self.quarter] * scale_kwh * self.rng.uniform(0.95, 1.05)
        reactive = max(0.0, self.profile.reactive[self.quarter]) * scale_kwh
        sums = round(active + self.behind_kwh, 3), round(reactive + self.behind_kvarh, 3)
        self.behind_kwh = self.behind_kvarh = 0.0
        return sums

    def reading(self, active: float, reactive: float) -> dict[str, Any]:
        """Return the reading of the current interval, given its energy [kWh, kvarh]."""
        meter = self.meter
        self.sequence += 1
        common = {
            "meter_id": meter.meter_id,
            "interval_start": datetime.fromtimestamp(self.at_s, UTC).isoformat().replace("+00:00", "Z"),
            "interval_s": meter.interval_s,
            "sequence": self.sequence,
            "device_id": f"dev-{meter.meter_id}",
        }
        if meter.kind == "register":
            self.register_kwh = round((self.register_kwh + active) % REGISTER_DIAL_KWH, 3)
            return {**common, "register_kwh": self.register_kwh, "register_rollover_kwh": REGISTER_DIAL_KWH}
        if meter.kind == "interval":
            return {**common, "energy_kwh": active}
        if meter.kind == "hall":
            return {**common, "values": self._climate()}
        values = {"import": active, "reactive_import": reactive}
        return {**common, "values": values if meter.kind == "grid" else values | self._machine()}

    def _climate(self) -> dict[str, float]:
        """Return temperature [degrees Celsius] and humidity [%] of a hall, which is warmer while its machines run."""
        temperature = round(18 + 10 * self.profile.active[self.quarter] + self.rng.uniform(-0.5, 0.5), 1)
        return {"temperature": temperature, "humidity": round(self.rng.uniform(40, 55), 1)}

    def _machine(self) -> dict[str, float]:
        """Return the export of solar panels [kWh], if there are any, and the temperature [degrees Celsius]."""
        kwh = self.meter.scale_kw * self.meter.interval_s / 3600
        local_hour = datetime.fromtimestamp(self.at_s, ZoneInfo(self.meter.plant.timezone)).hour
        temperature = round(40 + 45 * self.profile.active[self.quarter] + self.rng.uniform(-2, 2), 1)
        if not self.meter.has_solar:
            return {"temperature": temperature}
        return {"export": round(max(0.0, 1 - abs(local_hour - 13) / 6) * kwh * 0.2, 3), "temperature": temperature}


def contracts(fleet: list[Meter]) -> Iterator[bytes]:
    """Yield the contract of each meter that has one, and the records of supply points."""
    yield from (encode(meter.contract()) for meter in fleet if meter.has_contract)
    yield from map(encode, supply_records(fleet))
