"""What has been delivered: the lake's Parquet, fetched as it appears and counted."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from deploy.names import Names
from flink_job.lake.account import ONE_REJECTED_READING, rejected_readings
from flink_job.lake.database import open_lake
from flink_job.lake.remote import sync
from flink_job.schemas import ACCOUNTED, OUTPUTS


class Delivery:
    """A local copy of the lake, and the rows in it by output. Rows may repeat; `account` counts each key once."""

    def __init__(self, names: Names, endpoint: str, folder: Path) -> None:
        self.names, self.endpoint, self.folder = names, endpoint, folder
        self.rows = dict.fromkeys(OUTPUTS, 0)
        self._counted: set[Path] = set()

    def refresh(self) -> bool:
        """Fetch what is new; True where there was something."""
        found = False
        for output in OUTPUTS:
            sync(self.names.lake, "", output, self.folder, self.endpoint)
            for path in set((self.folder / output).glob("**/*.parquet")) - self._counted:
                self._counted.add(path)
                self.rows[output] += self._records(output, path)
                found = True
        return found

    @property
    def accounted(self) -> int:
        return sum(self.rows[name] for name in ACCOUNTED)

    def account(self) -> dict[str, int]:
        """Records by outcome, each key once; parts of one rejected record are one."""
        return account(self.folder)

    def _records(self, output: str, path: Path) -> int:
        if output != "rejected":
            return int(pq.read_metadata(path).num_rows)
        return rejected_readings(path)


def account(lake: Path) -> dict[str, int]:
    """Rows of a lake by output, each key once; parts of one rejected record are one."""
    with open_lake(lake) as connection:
        return {
            name: connection.execute(f"SELECT COUNT(*) FROM {name} WHERE {condition}").fetchall()[0][0]
            for name, condition in (dict.fromkeys(OUTPUTS, "TRUE") | {"rejected": ONE_REJECTED_READING}).items()
        }
