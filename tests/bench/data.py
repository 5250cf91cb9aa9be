"""Input of the benchmark: readings of many meters in order of time, 1 % of them hours late, 1 % duplicates."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

INTERVAL_S = 900
FIRST = datetime(2026, 3, 2, tzinfo=UTC)
LATE_SHARE, REPEATED_SHARE, LATE_INTERVALS = 0.01, 0.01, 24
TIMEZONE = "Europe/Madrid"

#: Time of use, tiers and demand charges at once.
TARIFF = {
    "tariff_id": "bench",
    "version": "1",
    "currency": "EUR",
    "valid_from": "2026-01-01",
    "calendar": {
        "days": [
            {
                "on": ["mon", "tue", "wed", "thu", "fri"],
                "bands": [
                    {"from": "00:00", "period": "valley"},
                    {"from": "08:00", "period": "day"},
                    {"from": "22:00", "period": "valley"},
                ],
            },
            {"on": ["sat", "sun"], "bands": [{"from": "00:00", "period": "valley"}]},
        ]
    },
    "energy": {
        "periods": {
            "valley": [{"max": "40", "price": "0.071"}, {"price": "0.069"}],
            "day": [{"max": "90", "price": "0.152"}, {"price": "0.141"}],
        }
    },
    "demand": {
        "window_s": 900,
        "flat": [{"max": "40", "price": "4.15"}, {"price": "6.90"}],
        "periods": {"day": [{"price": "2.20"}]},
    },
    "fixed": [{"name": "standing charge", "amount": "48.00", "per": "month"}],
    "taxes": [{"name": "VAT", "rate": "0.21", "base": ["energy", "demand", "fixed"]}],
}


@dataclass(frozen=True)
class Input:
    """Folder and size of the input. Readings that arrive after the contracts are put into the folder `later`."""

    folder: Path
    meters: int
    readings: int
    later: Path | None = None

    @property
    def readings_file(self) -> Path:
        return self.folder / "readings" / "readings.ndjson"

    @property
    def contracts_file(self) -> Path:
        return self.folder / "contracts" / "contracts.ndjson"

    @property
    def tariffs(self) -> Path:
        return self.folder / "tariffs"

    @property
    def rules(self) -> Path:
        return self.folder / "rules.yaml"


def prepared(work: Path, meters: int, readings: int) -> Input:
    """Return the input of a size, written if it does not exist. The same size gives the same bytes."""
    data = Input(work / f"input-{meters}-{readings}", meters, readings)
    if not (data.folder / "complete").exists():
        for path in (data.readings_file, data.contracts_file, data.tariffs / "bench.json"):
            path.parent.mkdir(parents=True, exist_ok=True)
        (data.tariffs / "bench.json").write_text(json.dumps(TARIFF), encoding="utf-8")
        data.rules.write_text(json.dumps({"rules": _rules()}), encoding="utf-8")
        data.contracts_file.write_text("".join(map(contract, range(meters))), encoding="utf-8")
        _write_readings(data)
        (data.folder / "complete").touch()
    return data


def meter_id(number: int) -> str:
    return f"meter-{number:07d}"


def contract(number: int) -> str:
    """A contract record: fifty meters a line, ten lines a process, ten processes a factory."""
    line = number // 50
    path = f"factory-{line // 100}/process-{line // 10 % 10}/line-{line % 10}/{meter_id(number)}"
    assigned = [{"tariff_id": "bench", "valid_from": "2026-01-01"}]
    record = {"meter_id": meter_id(number), "site_path": path, "timezone": TIMEZONE, "assignments": assigned}
    return json.dumps(record) + "\n"


def reading(number: int, start: str, sequence: int, energy_kwh: float) -> str:
    """A reading record of a quarter hour."""
    return (
        f'{{"meter_id":"{meter_id(number)}","interval_start":"{start}","interval_s":{INTERVAL_S},'
        f'"sequence":{sequence},"device_id":"dev-{number:07d}","energy_kwh":{energy_kwh:.3f}}}\n'
    )


def _write_readings(data: Input) -> None:
    chance, written = random.Random(7), 0
    held: dict[int, list[str]] = {}
    with data.readings_file.open("w", encoding="ascii") as out:
        for interval in range(data.readings):
            start = (FIRST + timedelta(seconds=interval * INTERVAL_S)).strftime("%Y-%m-%dT%H:%M:%SZ")
            lines = held.pop(interval, [])
            for number in range(data.meters):
                line = reading(number, start, interval, chance.random() * 12)
                draw = chance.random()
                if draw < LATE_SHARE:
                    held.setdefault(interval + chance.randrange(1, LATE_INTERVALS), []).append(line)
                    continue
                lines.append(line)
                if draw > 1 - REPEATED_SHARE:
                    lines.append(line)
            lines = lines[: data.readings - written]
            out.writelines(lines)
            written += len(lines)
            if written >= data.readings:
                return


def _rules() -> list[dict[str, str]]:
    """Ten rules; one of them is breached by one reading in six hundred."""
    limits = [47.92, *(100 + n for n in range(9))]
    return [
        {
            "rule_id": f"power-{n}",
            "signal": "power_kw",
            "severity": "major",
            "when": f"> {limit}",
            "clear_for": "15m",
            "horizon": "3650d",
        }
        for n, limit in enumerate(limits)
    ]
