"""Generates the readings of a fleet in the order in which they are sent."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sample_data.simulator.faults import Rates, Sent, encode, with_faults
from sample_data.simulator.fleet import Meter
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
    """Yield (end of the interval [epoch s], sent record), ordered by end of the interval."""
    states = [_MeterRun(meter, start, days, seed) for meter in fleet]
    queue = [(run.next_end_s, index) for index, run in enumerate(states)]
    heapq.heapify(queue)
    while queue:
        end_s, index = heapq.heappop(queue)
        run = states[index]
        for sent in with_faults(end_s + run.rng.randint(1, 50), run.reading(), rates, run.rng):
            yield end_s, sent
        if run.advance():
            heapq.heappush(queue, (run.next_end_s, index))


class _MeterRun:
    """Readings of a meter, interval by interval, over the simulated days."""

    def __init__(self, meter: Meter, start: date, days: int, seed: int) -> None:
        zone = ZoneInfo(meter.plant.timezone)
        end = start + timedelta(days=days)
        self.meter = meter
        self.rng = random.Random(f"{seed}/{meter.number}")
        self.profile = load_profiles()[meter.number % len(load_profiles())]
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

    def reading(self) -> dict[str, Any]:
        """Return the reading of the current interval."""
        meter = self.meter
        quarter = (self.at_s - self.profile_start_s) // QUARTER_S % QUARTERS
        hours = meter.interval_s / 3600
        wobble = self.rng.uniform(0.95, 1.05)
        energy = round(self.profile.active[quarter] * meter.scale_kw * hours * wobble, 3)
        self.sequence += 1
        common = {
            "meter_id": meter.meter_id,
            "interval_start": datetime.fromtimestamp(self.at_s, UTC).isoformat().replace("+00:00", "Z"),
            "interval_s": meter.interval_s,
            "sequence": self.sequence,
            "device_id": f"dev-{meter.meter_id}",
        }
        if meter.kind == "register":
            self.register_kwh = round((self.register_kwh + energy) % REGISTER_DIAL_KWH, 3)
            return {**common, "register_kwh": self.register_kwh, "register_rollover_kwh": REGISTER_DIAL_KWH}
        if meter.kind == "wide":
            return {**common, "values": self._wide(energy, quarter, hours)}
        return {**common, "energy_kwh": energy}

    def _wide(self, energy: float, quarter: int, hours: float) -> dict[str, float]:
        """Return several quantities: energies in kWh or kvarh, temperature in degrees Celsius."""
        reactive = round(max(0.0, self.profile.reactive[quarter]) * self.meter.scale_kw * hours, 3)
        local_hour = datetime.fromtimestamp(self.at_s, ZoneInfo(self.meter.plant.timezone)).hour
        solar = round(max(0.0, 1 - abs(local_hour - 13) / 6) * self.meter.scale_kw * hours * 0.2, 3)
        temperature = round(40 + 45 * self.profile.active[quarter] + self.rng.uniform(-2, 2), 1)
        return {"import": energy, "reactive_import": reactive, "export": solar, "temperature": temperature}


def contracts(fleet: list[Meter]) -> Iterator[bytes]:
    """Yield the contract of each meter that has one."""
    return (encode(meter.contract()) for meter in fleet if meter.has_contract)
