"""Vectorised functions of the job: thin wrappers of the pure code, registered here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udfs.decode import check_contract, read_reading, split_payload
from udfs.price import price_reading
from udfs.resolve import resolve_reading
from udfs.tally import tally
from udfs.watch_kpi import watch_kpi

if TYPE_CHECKING:
    from pyflink.table import TableEnvironment

    from flink_job.config import Settings


def register_functions(t_env: TableEnvironment, settings: Settings) -> None:
    """Make the functions known to SQL, with the settings that each needs."""
    job = settings.job
    t_env.create_temporary_function("read_reading", read_reading(job.max_record_bytes, job.max_future_s))
    t_env.create_temporary_function("check_contract", check_contract())
    t_env.create_temporary_function("split_payload", split_payload())
    t_env.create_temporary_function("resolve_reading", resolve_reading(settings))
    t_env.create_temporary_function("price_reading", price_reading(settings))
    t_env.create_temporary_function("watch_kpi", watch_kpi(settings))
    t_env.create_temporary_function("tally_repeated", tally("repeated"))
    t_env.create_temporary_function("tally_late", tally("late"))
