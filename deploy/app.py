"""The CDK app. `make synth` writes the templates of every environment to build/cdk.out; no AWS account is needed.

    python -m deploy.app [environment ...]

CDK's own command line (`cdk`) runs it as cdk.json says.
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
    """cdk-nag has findings: mend them, or accept them where they arise, with a reason (deploy/kit/nag.py)."""


OUT = Path(__file__).resolve().parent.parent / "build" / "cdk.out"
CONTEXT = Path(__file__).resolve().parent.parent / "cdk.json"


def build(app: App, environment: Environment, state: str) -> None:
    """The stacks of an environment."""
    account = environment.account or None
    target = None if environment.name == "local" else Target(account=account, region=environment.region)
    options = {"env": target, "termination_protection": environment.retain}
    data = DataStack(app, f"{environment.prefix}-data", environment, **options)
    pipeline = PipelineStack(app, f"{environment.prefix}-pipeline", environment, data, **options)
    job = JobStack(app, f"{environment.prefix}-job", environment, data, state, **options)
    # The order of the first deployment; no export ties the job to the pipeline.
    job.add_stack_dependency(pipeline)
    monitoring = MonitoringStack(app, f"{environment.prefix}-monitoring", environment, data, **options)
    monitoring.add_stack_dependency(job)
    for stack in (data, pipeline, job, monitoring):
        Tags.of(stack).add("application", APPLICATION)
        Tags.of(stack).add("deployment", environment.prefix)


def synthesize(environments: list[Environment], out: Path, checked: bool = True, restore: str = RESTORE) -> Path:
    """Write the templates of environments. `checked` runs cdk-nag over them, whose findings end the synthesis;
    `restore` is what an updated application starts from.
    """
    context = json.loads(CONTEXT.read_text(encoding="utf-8"))["context"]
    app = App(outdir=str(out), context={**context, RESTORE_CONTEXT: restore})
    state = current_state()
    for environment in environments:
        build(app, environment, state)
    finish(app, out, checked)
    return out


def finish(app: App, out: Path, checked: bool) -> None:
    """Synthesise an app, with cdk-nag over it where `checked`. Raises FindingsError."""
    if checked:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
        raise FindingsError("\n".join(findings(out))) from None


def findings(out: Path) -> list[str]:
    """What cdk-nag found, a line each."""
    report = json.loads((out / "validation-report.json").read_text(encoding="utf-8"))
    return [
        f"{found['constructPath']}: {violation['ruleName']}: {violation['description']}"
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for found in violation["violatingConstructs"]
    ]


def main() -> None:
    """Entry: of `make synth`, and of CDK's command line, which says what it wants in the environment."""
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
