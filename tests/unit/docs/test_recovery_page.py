"""docs/use/recovery.md lists exactly the permissions that its commands need."""

from __future__ import annotations

import re
from pathlib import Path

from tests.deploy.documented import PREFIXES, RENAMED
from tests.harness.aws_calls import Code

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
COMMANDS, STREAM_JOB = DEPLOY / "commands", DEPLOY / "stream_job"
FILES = (
    *(path for path in sorted((DEPLOY / "backup").glob("*.py")) if path.name != "infrastructure.py"),
    *(COMMANDS / f"{name}.py" for name in ("backup", "import_plan", "snapshots")),
    *(STREAM_JOB / f"{name}.py" for name in ("application", "snapshots")),
    DEPLOY / "release" / "imports.py",
    DEPLOY / "target.py",
)
#: Copies within S3, of a version and back, between buckets with keys:
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
COPY = {"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:AbortMultipartUpload"}
KEYS = {"kms:Decrypt", "kms:GenerateDataKey"}


def test_the_page_lists_what_the_commands_call() -> None:
    code = Code(FILES)
    entries = {"backup": ("backup", "restore"), "snapshots": ("snapshots",), "import_plan": ("import_plan",)}
    calls = {
        call
        for module, names in entries.items()
        for call in code.calls(COMMANDS / f"{module}.py", *names, registered=False)
    }
    # The command imports `prune` under another name, which the walk does not follow.
    calls |= code.calls(STREAM_JOB / "snapshots.py", "prune", registered=False)
    actions = {f"{PREFIXES.get(call.service, call.service)}:{call.operation}" for call in calls}
    needed = {RENAMED.get(action, action) for action in actions} | COPY | KEYS
    page = (ROOT / "docs" / "use" / "recovery.md").read_text(encoding="utf-8").partition("## Permissions\n")[2]
    assert set(re.findall(r"`([a-z0-9-]+:[A-Z]\w+)`", page)) == needed
