"""The lines of a bill: their names, and their columns in the outputs. Every list of charges is derived from them."""

from __future__ import annotations

from enum import StrEnum


class BillLine(StrEnum):
    """A line of a bill, in the order of a bill. The value is its name in tariff documents and bills."""

    ENERGY = "energy"
    DEMAND = "demand"
    FIXED = "fixed"
    MINIMUM = "minimum"
    EXPORT = "export"
    REACTIVE = "reactive"
    TAX = "tax"


#: Names of all lines.
LINES = tuple(line.value for line in BillLine)
#: Charges that a tax may have in its base: all lines but the taxes.
CHARGES = tuple(line.value for line in BillLine if line is not BillLine.TAX)
#: Lines by column of the tables `costs` and `adjustments` and of the view `bills`; a column is the sum of its lines.
COST_COLUMNS = {
    "energy_cost": (BillLine.ENERGY.value,),
    "demand_cost": (BillLine.DEMAND.value,),
    "fixed_cost": (BillLine.FIXED.value,),
    "export_credit": (BillLine.EXPORT.value,),
    "other_cost": (BillLine.MINIMUM.value, BillLine.REACTIVE.value),
    "tax": (BillLine.TAX.value,),
}
#: The lines of `other_cost` as columns of their own, in files of `rate`; the lake does not have them.
OTHER_COLUMNS = {"minimum_cost": BillLine.MINIMUM.value, "reactive_cost": BillLine.REACTIVE.value}
