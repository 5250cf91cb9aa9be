"""Sizing by hand: a thousand, a million and a hundred million meters."""

from __future__ import annotations

import pytest

from deploy.sizing.model import figures, size

DATA = figures()


def test_a_thousand_meters_fit_into_the_smallest_of_everything() -> None:
    small = size(1000, 300, 40)
    # 3.3 readings/s; 3.33 * 86,400 s * 40 d * 52 bytes = 0.60 GB of state.
    assert (small.shards, small.kpus_for_load, small.kpus_for_state, small.applications, small.kpus) == (1, 1, 1, 1, 2)
    assert small.state_gb == pytest.approx(0.599, abs=0.001)


def test_a_million_meters() -> None:
    million = size(1_000_000, 300, 100)
    # 3,333 readings/s over 500 planned for a shard: 6.67, so 7. Over 1,700 for a KPU: 1.96, so 2.
    assert (million.shards, million.kpus_for_load) == (7, 2)
    # 3,333.3 * 86,400 * 100 * 52 bytes = 1,497.6 GB; 35 GB in a KPU: 42.8, so 43, which one application of 63 holds.
    assert million.state_gb == pytest.approx(1497.6, rel=1e-6)
    assert (million.kpus_for_state, million.applications, million.kpus) == (43, 1, 44)


def test_a_shorter_memory_is_the_lever() -> None:
    assert size(1_000_000, 300, 40).kpus_for_state == 18  # 599.04 GB / 35 GB = 17.1


def test_limits_come_in_their_order_and_where_reckoned() -> None:
    limits = {limit.name: limit.meters for limit in size(1000, 300, 100).limits}
    # 63 KPU * 1,700 readings/s * 300 s.
    assert limits["64 KPU, throughput"] == 63 * 1700 * 300
    # 5 MiB/s over rows of 900 bytes, each 300 s.
    assert limits["Firehose, bytes of one delivery stream"] == pytest.approx(5_242_880 / 900 * 300)
    assert list(limits.values()) == sorted(limits.values())


def test_what_firehose_costs_is_counted_in_steps_of_5_kb() -> None:
    one = size(300, 300)
    month_s, price = 86_400 * 30.4, 0.029 + 0.018 + 0.020
    kpis_s = 300 * (1 / 900 + 1 / 3600 + 1 / 86_400)
    objects = 2 / 300 * month_s * 1.5
    expected = (1.02 + kpis_s) * month_s * 5120 / 1e9 * price + objects / 1000 * 0.005
    assert one.costs["Firehose"] == pytest.approx(expected)


def test_every_figure_says_where_it_comes_from() -> None:
    assert all(f["from"] for f in DATA["measured"].values() if isinstance(f, dict))
    assert all(DATA[part]["when"] for part in ("measured", "limits", "prices"))


@pytest.mark.parametrize(("meters", "interval_s"), [(0, 300), (1, 0), (1, 90_000)])
def test_what_cannot_be_is_refused(meters: int, interval_s: int) -> None:
    with pytest.raises(ValueError, match="meters"):
        size(meters, interval_s)
