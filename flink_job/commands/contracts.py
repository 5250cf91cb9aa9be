"""`contracts`: check contract records before they are published."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from flink_job.commands.console import counted, fail, note
from flink_job.tenants import DEFAULT, RIGHT, is_tenant

commands = typer.Typer(help="Check contract records.", no_args_is_help=True, rich_markup_mode=None)


@commands.callback()
def _group() -> None:
    """Check contract records."""


@commands.command()
def check(
    files: Annotated[list[str], typer.Argument(help="NDJSON of contracts; also .gz and s3://.")],
    tariffs: Annotated[
        str, typer.Option(help="Folder (or s3:// prefix) of tariff documents: assigned tariffs must be in it.")
    ] = "",
    tenant: Annotated[str, typer.Option(help="Tenant of records without one.")] = DEFAULT,
) -> None:
    """Check contracts and their supply points.

    Reports every record that is invalid, and every supply point that cannot be billed, with the places of its records,
    the code of the fault and the way out; the exit code is 2 if there are any. Give all files of a tenant at once: a
    supply point may be in several.

    \b
      python -m flink_job contracts check sample_data/contracts.ndjson \\
        --tariffs sample_data/tariffs
    """
    from flink_job.batch.contract_check import check_contracts
    from flink_job.commands.rate import explained
    from flink_job.tariffs.registry import open_registry

    if not is_tenant(tenant):
        fail(f"--tenant is {tenant!r}; it must be {RIGHT}")
    with explained():
        try:
            checked = check_contracts(files, tenant, open_registry(tariffs) if tariffs else None)
        except FileNotFoundError as error:
            fail(str(error))
    roles = Counter(member.role for supply in checked.supplies for member in supply.members)
    contracts, terms = checked.records.contracts, checked.records.terms
    print(
        f"{counted(len(contracts), 'meter')}, {counted(len(terms), 'record')} of supply points; "
        f"{counted(len(checked.supplies), 'supply point')} with "
        f"{', '.join(f'{counted(number, role)}' for role, number in sorted(roles.items())) or 'no meter'}"
    )
    for line in checked.unused:
        note(line)
    if checked.faults:
        fail("\n".join(checked.faults))
