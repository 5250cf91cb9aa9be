"""The SQL views of the dataflow: a folder per stage, a file per view; pipeline.py has their order."""

import re
from collections.abc import Mapping
from importlib.resources import files

from flink_job.metering.units import BILLED_CHANNELS, MEASURED_CHANNELS, QUANTITY_LIMIT

#: Constants that views refer to as `${NAME}`, so that SQL and Python share one definition.
CONSTANTS: Mapping[str, int | str] = {
    # Packed quantities hold the revision above this (flink_job/metering/packing.py).
    "QUANTITY_LIMIT": QUANTITY_LIMIT,
    # Pairs of a channel and its unit, of a MAP.
    "UNITS": ", ".join(f"'{channel}', '{unit}'" for channel, unit in {**BILLED_CHANNELS, **MEASURED_CHANNELS}.items()),
}


def read_sql(name: str) -> str:
    """Text of a view, named by stage and view such as `decode/decoded`. Raises KeyError for an unknown constant."""
    text = (files(__name__) / f"{name}.sql").read_text(encoding="utf-8")
    return re.sub(r"\$\{(\w+)\}", lambda constant: str(CONSTANTS[constant[1]]), text)
