"""The cheapest contracted power: derived by hand, and compared with every combination rated in full."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.billing.contract_power import ContractError, Optimum, cheapest, optimise, with_power
from flink_job.billing.explain import Metered
from flink_job.billing.power_factor import advise
from flink_job.billing.power_report import as_csv, as_json, power_summary
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, versions_in_force
from tests.harness.kinds import DAY_NIGHT, HEAD, POWER, TAXES
from tests.unit.tariffs.test_laws import MADRID, QUARTER_MS

#: 2026-01-01 00:00 in Madrid, a Thursday.
JANUARY = 1_767_222_000_000
DAY_MS = 86_400_000
KW = 1_000_000
FREE = {"energy": {"periods": {"all": [{"price": "0"}]}}}


def metered(document: dict[str, Any], starts_ms: list[int], kw: list[float]) -> Metered:
    """Quarter hours with a mean power [kW] that is a multiple of 4e-6."""
    energy = np.array([round(each * KW / 4) for each in kw], dtype=np.int64)
    data = Intervals.of(np.array(starts_ms), np.full(len(kw), QUARTER_MS), energy)
    in_force = versions_in_force([read_tariff({**HEAD, **document})])
    return Metered("m", data, in_force, BillingTerms(MADRID), {})


def contracted(rule: str | None, excess: str, kw: str = "10", price: str = "365") -> dict[str, Any]:
    found: dict[str, Any] = {"periods": {"all": price}, "kw": {"all": kw}}
    if rule:
        found["excess"] = {"rule": rule, "prices": {"all": excess}}
    return {**FREE, "demand": {"window_s": 900}, "contracted_power": found}


def test_maximeter_by_hand() -> None:
    """January, 31 days at 1 a kW and day: 31 a kW. A peak of 14 kW costs 2 x 20 x 31/30 = 41.333333 for each kW above.

    So 14 kW are cheapest: 434, against 10 kW: 310 + 4 x 41.333333 = 475.333333. The saving is 41.333333.
    """
    found = optimise(metered(contracted("maximeter", "20"), [JANUARY, JANUARY + QUARTER_MS], [14, 2]), KW)
    assert found.best_u == {"all": 14 * KW}
    assert (found.present_total, found.best_total, found.saving) == (475_333_333, 434_000_000, 41_333_333)
    assert found.is_proven


def test_a_cheap_excess_by_hand() -> None:
    """At 10 a kW the excess costs 20.666667 for each kW, less than 31 for the power: 1 kW is cheapest.

    31 + 13 x 20.666667 = 299.666667; 10 kW are 310 + 82.666667.
    """
    found = optimise(metered(contracted("maximeter", "10"), [JANUARY], [14]), KW)
    assert found.best_u == {"all": KW}
    assert (found.present_total, found.best_total) == (392_666_667, 299_666_667)
    assert "saving 93.00 EUR (23.7%)" in list(power_summary(found))


def test_root_of_squares_by_hand() -> None:
    """Demands of 13 and 14 kW at 10 a kW: 13 kW cost 403 + 10 x 1, 12 kW 372 + 10 x sqrt(1 + 4) = 394.360680.

    11 kW cost 341 + 10 x sqrt(4 + 9) = 377.055513, and so on down to 1 kW: 31 + 10 x sqrt(144 + 169) = 207.918060. With
    40 for a kW, 13 kW (443) are dearer than 14 (434): 14 kW are cheapest.
    """
    starts = [JANUARY, JANUARY + QUARTER_MS]
    assert optimise(metered(contracted("root_of_squares", "10"), starts, [13, 14]), KW).best_total == 207_918_060
    dear = optimise(metered(contracted("root_of_squares", "40"), starts, [13, 14]), KW)
    assert (dear.best_u, dear.best_total) == ({"all": 14 * KW}, 434_000_000)


def test_without_a_price_of_excess_power_covers_the_peak() -> None:
    """A demand of 13.2 kW needs 13.5 kW in steps of half a kW: 418.50."""
    found = optimise(metered(contracted(None, "", kw="20"), [JANUARY], [13.2]), KW // 2)
    assert (found.best_u, found.best_total) == ({"all": 13_500_000}, 418_500_000)


def test_a_present_power_that_is_the_cheapest_stays() -> None:
    """13.2 kW is no step of 1 kW, and cheaper than 14."""
    found = optimise(metered(contracted(None, "", kw="13.2"), [JANUARY], [13.2]), KW)
    assert found.best_u == found.present_u == {"all": 13_200_000}
    assert "the present contracted power is the cheapest" in list(power_summary(found))


def test_powers_that_must_not_fall() -> None:
    """Costs of 1, 2, 3 kW by period: free are (3, 1); not falling, 3 + 3 costs 5 + 9, 1 + 1 costs 9 + 1, the least."""
    costs = [np.array(c, dtype=object) for c in ([9, 8, 5], [1, 4, 9])]
    allowed = np.ones(3, dtype=bool)
    assert cheapest([(c, allowed) for c in costs], False) == [2, 0]
    assert cheapest([(c, allowed) for c in costs], True) == [0, 0]


def two_periods(rule: str, kw: tuple[str, str], taxes: bool, decimals: int) -> dict[str, Any]:
    document = {
        **HEAD,
        "calendar": DAY_NIGHT,
        "energy": {"periods": {"night": [{"price": "0.07"}], "day": [{"price": "0.2"}]}},
        "contracted_power": {
            "periods": POWER["periods"],
            "kw": dict(zip(("night", "day"), kw, strict=True)),
            "excess": {"rule": rule, "prices": {"night": "0.9", "day": "1.406"}},
        },
        "rounding": {"line_decimals": decimals, "mode": "half_up"},
    }
    return {**document, "taxes": TAXES} if taxes else document


@given(
    rule=st.sampled_from(["maximeter", "root_of_squares"]),
    powers=st.lists(st.integers(0, 8_000), min_size=4, max_size=40),
    kw=st.tuples(*[st.sampled_from(["1", "2.5", "6"])] * 2),
    taxes=st.booleans(),
    is_ascending=st.booleans(),
    decimals=st.sampled_from([2, 6]),
    cut=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_no_combination_is_cheaper(
    rule: str,
    powers: list[int],
    kw: tuple[str, str],
    taxes: bool,
    is_ascending: bool,
    decimals: int,
    cut: bool,
) -> None:
    """Every combination of steps is rated in full, over two months, with one version or two of them within a cycle.

    Rounded lines may differ by half a cent each from the sums that are minimised.
    """
    starts = [JANUARY + n * (45 * DAY_MS // len(powers) // QUARTER_MS) * QUARTER_MS for n in range(len(powers))]
    meter = metered(two_periods(rule, kw, taxes, decimals), starts, [each * 0.001 for each in powers])
    if cut:
        halves = read_tariff({**HEAD, **two_periods(rule, kw, taxes, decimals)})
        later = replace(halves, version="2", valid_from=halves.valid_from.replace(month=1, day=20))
        meter = replace(meter, in_force=versions_in_force([halves, later]))
    found = optimise(meter, 2 * KW, is_ascending=is_ascending)
    candidates = [int(each) for each in found.candidates_u]
    totals = {
        pair: total_of(meter, dict(zip(("night", "day"), pair, strict=True)))
        for pair in product(candidates, repeat=2)
        if not is_ascending or pair[0] <= pair[1]
    }
    least = min(totals.values())
    slack = 0 if decimals == 6 else 2 * 3 * 4 * 5_000
    assert found.best_total <= least + slack + 20
    assert found.best_total == total_of(meter, dict(found.best_u))
    assert found.is_proven


def total_of(meter: Metered, power: dict[str, int]) -> int:
    return sum(bill.total for bill in replace(meter, in_force=with_power(meter.in_force, power)).history().bills)


def test_a_minimum_bill_is_not_proven() -> None:
    """A minimum of 500 a month makes all powers up to 14 kW cost 500: the saving is 0, and nothing is proven."""
    document = {**contracted("maximeter", "10"), "minimum": [{"amount": "500", "per": "month"}]}
    found = optimise(metered(document, [JANUARY], [14]), KW)
    assert found.best_total == found.present_total == 500_000_000
    document["minimum"] = [{"amount": "350", "per": "month"}]
    found = optimise(metered(document, [JANUARY], [14]), KW)
    assert (found.best_total, found.is_proven) == (350_000_000, False)
    assert any("not proven" in line for line in power_summary(found))


def test_a_demand_by_the_contracted_power_is_not_proven() -> None:
    """A demand of at least 90 % of the contracted power depends on it, too, beside the sums that are minimised."""
    demand = {"window_s": 3600, "flat": [{"price": "1"}], "minimum_share": "0.9"}
    found = optimise(metered({**contracted("maximeter", "10"), "demand": demand}, [JANUARY], [14]), KW)
    assert not found.is_proven


def test_errors_say_what_is_missing() -> None:
    with pytest.raises(ContractError, match="tariff t 1 has no contracted_power"):
        optimise(metered(FREE, [JANUARY], [1]), KW)
    with pytest.raises(ContractError, match=r"14,000,000 candidates up to 14 kW; at most 20,000: give 0\.0007 or more"):
        optimise(metered(contracted("maximeter", "10"), [JANUARY], [14]), 1)


def reactive(free: str = "0.5") -> dict[str, Any]:
    return {
        **contracted("maximeter", "10"),
        "reactive": {"free_share": free, "bands": [{"cos_phi_below": "0.95", "price": "0.10"}]},
        "taxes": [{"name": "VAT", "rate": "0.2", "base": ["reactive"]}],
    }


def test_a_capacitor_bank_by_hand() -> None:
    """Two quarter hours of 10 kWh (40 kW): 9 and 6 kvarh. Free are 5 each: above it 4 and 1 kvarh, 16 and 4 kvar.

    Charged are 15 - 10 = 5 kvarh at 0.10 = 0.50, with tax 0.60. A bank of Q kvar supplies Q/4 kvarh in each: with 10
    kvar 15 - 5 = 10 kvarh remain, none is charged. With 9 kvar 0.5 kvarh are. 16 kvar are 8 kvarh, and avoid no more.
    """
    meter = metered(reactive(), [JANUARY, JANUARY + QUARTER_MS], [40, 40])
    meter = replace(meter, data=replace(meter.data, reactive_uvarh=np.array([9 * KW, 6 * KW])))
    advice = advise(meter)
    assert advice is not None
    [need] = advice.needs
    assert (need.usual_kvar, need.worst_kvar, f"{need.worst_at:%H:%M}") == (16, 16, "00:00")
    assert round(need.cos_phi, 6) == round(20 / (20**2 + 15**2) ** 0.5, 6)
    assert advice.reactive == 500_000
    assert [(b.kvar, b.reactive, b.avoided) for b in advice.banks] == [(10, 0, 600_000), (16, 0, 600_000)]


def test_no_advice_without_reactive_energy_or_charge() -> None:
    assert advise(metered(reactive(), [JANUARY], [40])) is None
    meter = metered(contracted("maximeter", "10"), [JANUARY], [40])
    assert advise(replace(meter, data=replace(meter.data, reactive_uvarh=np.array([KW])))) is None


def result() -> Optimum:
    return optimise(metered(contracted("maximeter", "20"), [JANUARY], [14]), KW)


def test_results_as_csv_and_json() -> None:
    """The costs of test_maximeter_by_hand."""
    assert as_csv(result()).splitlines()[1] == "all,14,10,14,310.000000,434.000000,165.333333,0.000000"
    document = json.loads(as_json("m", result(), None))
    assert document["periods"][0]["best_kw"] == "14"
    assert (document["present_bills"], document["saving"]) == ("475.333333", "41.333333")
