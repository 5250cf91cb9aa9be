"""The SQL views of the dataflow, a file each, numbered in dataflow order."""

from importlib.resources import files


def read_sql(name: str) -> str:
    """Text of the view `name`, such as `10_decoded`."""
    return (files(__name__) / f"{name}.sql").read_text(encoding="utf-8")
