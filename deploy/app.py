"""The CDK app. `make synth` writes the templates of every environment to build/cdk.out; no AWS account is needed.

    python -m deploy.app [environment ...]

The `cdk` command line runs it as configured in cdk.json.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from aws_cdk import App, Tags, Validations
from aws_cdk import Environment as Target
from cdk_nag import AwsSolutionsChecks

from deploy.pipeline import PipelineStack
from deploy.settings import APPLICATION, ENVIRONMENTS, Environment, SettingsError, environment_named
from deploy.stacks import DataStack, JobStack, MonitoringStack
from deploy.stream_job.infrastructure import RESTORE_CONTEXT
from deploy.stream_job.properties import RESTORE
from deploy.stream_job.state import current_state


class FindingsError(RuntimeError):
    """cdk-nag has findings: fix them, or accept them at their construct with a reason (deploy/kit/nag.py)."""


OUT = Path(__file__).resolve().parent.parent / "build" / "cdk.out"
CONTEXT = Path(__file__).resolve().parent.parent / "cdk.json"


def build(app: App, environment: Environment, state: str) -> None:
    """Add the stacks of an environment to an app."""
    account = environment.account or None
    target = None if environment.name == "local" else Target(account=account, region=environment.region)
    options = {"env": target, "termination_protection": environment.retain}
    data = DataStack(app, f"{environment.prefix}-data", environment, **options)
    pipeline = PipelineStack(app, f"{environment.prefix}-pipeline", environment, data, **options)
    job = JobStack(app, f"{environment.prefix}-job", environment, data, state, **options)
    # Only for the order of the first deployment: the job imports no export of the pipeline.
    job.add_stack_dependency(pipeline)
    monitoring = MonitoringStack(app, f"{environment.prefix}-monitoring", environment, data, **options)
    monitoring.add_stack_dependency(job)
    for stack in (data, pipeline, job, monitoring):
        Tags.of(stack).add("application", APPLICATION)
        Tags.of(stack).add("deployment", environment.prefix)


def synthesize(environments: list[Environment], out: Path, checked: bool = True, restore: str = RESTORE) -> Path:
    """Synthesize the templates of environments and return their folder.

    With `checked`, cdk-nag runs over them and raises FindingsError. `restore` is the restore type of an updated
    application.
    """
    context = json.loads(CONTEXT.read_text(encoding="utf-8"))["context"]
    app = App(outdir=str(out), context={**context, RESTORE_CONTEXT: restore})
    state = current_state()
    for environment in environments:
        build(app, environment, state)
    finish(app, out, checked)
    return out


def finish(app: App, out: Path, checked: bool) -> None:
    """Synthesize an app; with `checked`, run cdk-nag over it. Raises FindingsError."""
    if checked:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
        raise FindingsError("\n".join(findings(out))) from None


def findings(out: Path) -> list[str]:
    """Findings of cdk-nag, one line each."""
    report = json.loads((out / "validation-report.json").read_text(encoding="utf-8"))
    return [
        f"{found['constructPath']}: {violation['ruleName']}: {violation['description']}"
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for found in violation["violatingConstructs"]
    ]


def main() -> None:
    """Entry point for `make synth` and for `cdk`, which passes CDK_OUTDIR and ENV."""
    asked = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    names = asked or ([os.environ["ENV"]] if os.environ.get("ENV") else list(ENVIRONMENTS))
    try:
        chosen = [environment_named(name) for name in names]
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    try:
        out = synthesize(chosen, Path(os.environ.get("CDK_OUTDIR") or OUT))
    except FindingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    if "CDK_OUTDIR" in os.environ:
        return
    for template in sorted(out.glob("*.template.json")):
        count = len(json.loads(template.read_text(encoding="utf-8"))["Resources"])
        print(f"{template.name}: {count} resources")


if __name__ == "__main__":
    main()
