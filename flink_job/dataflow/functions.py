"""The Python functions of the dataflow, which the entry point of the job passes to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import KeyedProcessFunction
from pyflink.table import TableEnvironment


class Functions(NamedTuple):
    """The Python functions of a job.

    `register` registers the SQL functions in an environment. `alert_states` and `no_data` are the alert state machines,
    keyed by entity, for samples and for no-data events; both emit rows of type `alert_row`.
    """

    register: Callable[[TableEnvironment], None]
    alert_states: KeyedProcessFunction
    no_data: KeyedProcessFunction
    alert_row: TypeInformation
