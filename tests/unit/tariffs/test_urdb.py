"""URDB records: what each field becomes, and what is refused by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.model import Tariff, TariffError
from flink_job.tariffs.urdb import from_urdb, is_urdb
from tests.oracle.urdb import DAY, DEMAND, FLAT, SEASONAL, SEASONAL_WEEKEND, energy


def imported(**fields: Any) -> Tariff:
    document = energy(FLAT, FLAT, [{"rate": 0.1}])
    return read_tariff(from_urdb({**document, **fields}, "America/Denver", "USD"))


def test_identity() -> None:
    """enddate 1,546,300,800 is 2019-01-01, the last day in force; valid_to is the day after it."""
    tariff = imported(label="5a3", startdate=1_514_764_800, enddate=1_546_300_800, supersedes="4f2")
    assert (tariff.tariff_id, tariff.version, tariff.currency) == ("5a3", "2018-01-01", "USD")
    assert (str(tariff.valid_from), str(tariff.valid_to), str(tariff.timezone)) == (
        "2018-01-01",
        "2019-01-02",
        "America/Denver",
    )


@pytest.mark.parametrize("start", ["2014-05-01T00:00:00.000Z", "2014-05-01 00:00:00", 1_398_902_400.0, "1398902400"])
def test_dates_of_exports(start: object) -> None:
    assert str(imported(startdate=start).valid_from) == "2014-05-01"


def test_a_response_with_one_record() -> None:
    document = energy(FLAT, FLAT, [{"rate": 0.1}])
    assert is_urdb({"items": [document]})
    assert from_urdb({"items": [document]}, "UTC", "USD") == from_urdb(document, "UTC", "USD")
    with pytest.raises(TariffError, match="items: 2 records; it must have exactly one"):
        from_urdb({"items": [document, document]}, "UTC", "USD")


def test_prices_are_rate_plus_adjustment_to_nine_decimals() -> None:
    tariff = imported(energyratestructure=[[{"rate": Decimal("0.10400000000000001"), "adj": 0.0012}]])
    ((tier,),) = tariff.energy
    assert tier.price_e9 == 105_200_000


def test_months_of_one_schedule_are_a_season() -> None:
    document = from_urdb(energy(SEASONAL, SEASONAL_WEEKEND, *[[{"rate": r / 10}] for r in range(5)]), "UTC", "USD")
    seasons = document["calendar"]["seasons"]
    assert seasons["season-0"][:3] == ["01-01/01-31", "02-01/02-29", "03-01/03-31"]
    assert seasons["season-1"] == ["06-01/06-30", "07-01/07-31", "08-01/08-31", "09-01/09-30"]
    assert "period-0" not in document["energy"]["periods"]


@pytest.mark.parametrize(
    ("rule", "tier_rule", "export", "carries"),
    [
        (None, "prorated", "priced", False),
        ("Net Metering", "prorated", "net_metering", False),
        ("Net Billing Instantaneous", "chronological", "net_billing", False),
        ("Net Billing Hourly", "chronological", "net_billing", True),
        ("Buy All Sell All", "prorated", "buy_all_sell_all", False),
    ],
)
def test_dgrules_decide_export_and_tiers(rule: str | None, tier_rule: str, export: str, carries: bool) -> None:
    tariff = imported(**({"dgrules": rule} if rule else {}))
    assert (tariff.tier_rule, tariff.export.rule, tariff.export.carry_over) == (tier_rule, export, carries)


def test_demand_ratchet_and_charges() -> None:
    tariff = imported(
        flatdemandstructure=[[{"rate": 9}], [{"rate": 5}]],
        flatdemandmonths=[0] * 6 + [1] * 6,
        demandwindow=30,
        lookbackpercent=0.6,
        lookbackmonths=[0] * 5 + [1] * 3 + [0] * 4,
        fixedchargefirstmeter=0.9,
        fixedchargeunits="$/day",
        mincharge=12,
        minchargeunits="$/month",
        annualmincharge=300,
        fueladjustmentsmonthly=[0.001] * 12,
        **DEMAND,
    )
    assert [tiers[0].price_e9 for tiers in tariff.demand.flat_by_month] == [9 * 10**9] * 6 + [5 * 10**9] * 6
    ratchet = tariff.demand.ratchet
    assert ratchet is not None
    assert (ratchet.share_e9, ratchet.months_back, ratchet.months) == (600_000_000, 11, frozenset({6, 7, 8}))
    assert ratchet.applies_to == {"flat", "period-0", "period-1"}
    assert tariff.demand_window_s == 1800
    assert [(c.amount_e9, c.per) for c in tariff.fixed] == [(900_000_000, "day")]
    assert [(c.amount_e9, c.per) for c in tariff.minimum] == [(12 * 10**9, "month"), (300 * 10**9, "year")]
    assert tariff.adjustment_e9 == (1_000_000,) * 12


def test_demand_periods_on_the_energy_schedule_need_no_calendar_of_their_own() -> None:
    same = {"energyweekdayschedule": DAY, "energyratestructure": [[{"rate": 0.1}], [{"rate": 0.2}]]}
    assert imported(**same, **DEMAND).demand.calendar is None
    assert imported(**DEMAND).demand.calendar is not None


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"demandreactivepowercharge": 0.3}, "demandreactivepowercharge: this charge cannot be represented"),
        ({"coincidentratestructure": [[{"rate": 4}]]}, "coincidentratestructure: this charge"),
        ({"fixedchargeeaaddl": 2}, "fixedchargeeaaddl: this charge"),
        (
            {"pdp_credit_energyratestructure": [[{"rate": -0.1}]]},
            "pdp_credit_energyratestructure: unknown field that may",
        ),
        ({"dgrules": "Net Nothing"}, "dgrules: 'Net Nothing' is not one of Net Metering"),
        ({"energyratestructure": [[{"rate": 0.1, "unit": "therms"}]]}, "unit 'therms' is not one of kWh"),
        (
            {"energyratestructure": [[{"rate": 0.1}, {"rate": 0.2}]]},
            "energyratestructure/0: every tier except the last",
        ),
        ({"energyratestructure": [[{"max": 5}]]}, "a tier without a rate"),
        ({"energyweekdayschedule": [[3] * 24] * 12}, "energyweekdayschedule: a period is not in energyratestructure"),
        ({"energyweekdayschedule": [[0] * 23] * 12}, "twelve months of 24 hours"),
        ({"flatdemandstructure": [[{"rate": 1}]], "flatdemandunit": "kVA"}, "flatdemandunit: 'kVA'"),
        ({"flatdemandstructure": [[{"rate": 1}]], "flatdemandmonths": [1] * 12}, "flatdemandmonths: twelve indices"),
        ({"fixedchargefirstmeter": 3, "fixedchargeunits": "$/week"}, "fixedchargeunits: '\\$/week'"),
        ({"startdate": "someday"}, "startdate: 'someday' is neither epoch seconds"),
        ({"energyratestructure": 7}, "not a URDB record"),
        ({"demandwindow": 7}, "demandwindow: 7 minutes"),
        ({"startdate": 1462258800, "enddate": 1462172400}, "enddate: 2016-05-02 is before startdate, 2016-05-03"),
        (
            {"energyratestructure": [[{"max": 5, "rate": 1, "sell": 2}, {"rate": 1}]]},
            "no dgrules that state how energy is sold; import it with --no-export",
        ),
        (
            {"demandratchetpercentage": [0.5] * 6 + [0.8] * 6, "flatdemandstructure": [[{"rate": 1}]]},
            "different shares",
        ),
    ],
)
def test_what_cannot_be_represented_is_refused_by_name(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(TariffError, match=problem):
        imported(**fields)


def test_an_export_is_credited_at_sell_prices_where_the_record_has_no_rule_for_it() -> None:
    """Without dgrules, energy of period 1 is bought at 0.2 and sold at 0.05, that of period 0 sold at nothing."""
    two = {"energyweekdayschedule": DAY, "energyratestructure": [[{"rate": 0.1}], [{"rate": 0.2, "sell": 0.05}]]}
    assert dict(zip(imported(**two).periods, imported(**two).export_e9, strict=True)) == {
        "period-0": 0,
        "period-1": 50_000_000,
    }
    assert imported(**two, dgrules="Buy All Sell All").energy[1][0].sell_e9 == 50_000_000
    document = energy(DAY, FLAT, [{"rate": 0.1}], [{"rate": 0.2, "sell": 0.05}], dgrules="Buy All Sell All")
    tariff = read_tariff(from_urdb(document, "UTC", "USD", no_export=True))
    assert (tariff.export.rule, set(tariff.export_e9), tariff.energy[1][0].sell_e9) == ("priced", {0}, 0)


def test_periods_without_a_price_are_no_demand_periods() -> None:
    """Los Angeles A-3: four demand periods, of which that of the night costs 0; flat demand at 0 is none at all."""
    fields = {**DEMAND, "demandratestructure": [[{"rate": 0}], [{"rate": 9.25}]]}
    tariff = imported(**fields, flatdemandstructure=[[{"rate": 0}]])
    assert (dict(tariff.demand_periods), tariff.flat_demand) == ({"period-1": 1}, ())
    free = imported(**{**DEMAND, "demandratestructure": [[{"rate": 0}], [{"rate": 5, "adj": -5}]]})
    assert list(free.demand_periods) == ["period-1"]


def test_horsepower() -> None:
    """Irrigation: 9.15 per hp above 10 hp; at 746 W a hp that is 9.15 / 0.746 = 12.26541555 above 7.46 kW."""
    structure = [[{"max": 10, "rate": 0}, {"rate": 9.15}]]
    tariff = imported(
        **{**DEMAND, "demandratestructure": structure, "demandweekdayschedule": FLAT}, demandrateunit="hp"
    )
    ((low, high),) = tariff.tou_demand
    assert (low.price_e9, low.bound_u, high.price_e9) == (0, 7_460_000, 12_265_415_550)


def test_a_unit_without_a_charge_is_no_obstacle() -> None:
    assert not imported(flatdemandunit="kVA", demandrateunit="hp").has_demand


def test_attributes_that_are_labels_and_those_that_are_prices() -> None:
    """Pacific Gas & Electric E-19: 1-based numbers of periods are labels, a rate of 0.00005 is in no other field."""
    labels = [{"TOU-winter:Off-Peak": "1"}, {"TOU-summer:Maximum Peak Demand ": "2"}, {"note": "see page 4"}]
    imported(**DEMAND, demandattrs=labels, energyattrs=[{"TOU": "1"}], energytoulabels=["Peak", "Off-Peak"])
    for price in (
        {"Power-Factor-Adjustment-Rate-$": "0.00005"},
        {"Discount per kW": "-0.14"},
        {"Discount per kW": "2"},
        {"Voltage discount": "$.20/KW"},
        {"Rider": "1.2 cents per kWh"},
    ):
        with pytest.raises(TariffError, match=r"demandattrs: may be prices.*--without demandattrs"):
            imported(**DEMAND, demandattrs=[*labels, price])


def test_without_a_field_the_rest_is_imported() -> None:
    document = energy(DAY, FLAT, [{"unit": "kWh"}], [{"rate": 0.1}], fixedmonthlycharge=30, demandreactivepowercharge=1)
    with pytest.raises(TariffError, match="--without energyratestructure") as caught:
        from_urdb(document, "UTC", "USD")
    assert len(caught.value.problems) == 2
    left = from_urdb(document, "UTC", "USD", without=["energyratestructure", "demandReactivePowerCharge"])
    tariff = read_tariff(left)
    assert [(c.amount_e9, c.per) for c in tariff.fixed] == [(30 * 10**9, "month")]
    assert left["source"].endswith("(without energyratestructure, without demandReactivePowerCharge)")
    with pytest.raises(TariffError, match="--without mincharge: the record has no such field"):
        from_urdb(document, "UTC", "USD", without=["mincharge"])


def test_records_without_a_label_stay_apart() -> None:
    """A record is identified by its label, by utility and name, or by its file; long names keep their difference."""
    document = {key: value for key, value in energy(FLAT, FLAT, [{"rate": 0.1}]).items() if key != "label"}

    def identity(file: str, **fields: Any) -> str:
        return str(from_urdb({**document, **fields}, "UTC", "USD", file)["tariff_id"])

    assert identity("a.json", name="", utility="") == "a"
    assert identity("b.json", name="", utility="North Power") == "North-Power-b"
    assert identity("a.json", utility="North Power") != identity("a.json", utility="South Power")
    long = {"utility": "Consolidated Edison Company of New York, Incorporated", "name": "General Large Service, Zone"}
    ids = {identity("a.json", **{**long, "name": f"{long['name']} {zone}"}) for zone in "HIJ"}
    assert len(ids) == 3
    assert all(len(found) == 64 for found in ids)


def test_two_names_of_the_fixed_charge() -> None:
    both = imported(fixedmonthlycharge=12, fixedchargefirstmeter=12, fixedchargeunits="$/month")
    assert [c.amount_e9 for c in both.fixed] == [12 * 10**9]
    with pytest.raises(TariffError, match=r"two names of one charge.*--without fixedmonthlycharge"):
        imported(fixedmonthlycharge=12, fixedchargefirstmeter=0.4, fixedchargeunits="$/day")


def test_names_in_any_case_and_fields_that_describe() -> None:
    tariff = imported(dgRules="Buy All Sell All", demandUnits="kW", energyattrs=[{"a": "b"}], is_default=True)
    assert tariff.export.rule == "buy_all_sell_all"


def test_a_field_that_charges_nothing_is_no_obstacle() -> None:
    imported(demandreactivepowercharge=0, coincidentratestructure=[[{"rate": 0}]], fixedchargeeaaddl=None)
