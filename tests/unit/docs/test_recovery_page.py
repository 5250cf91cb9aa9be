"""docs/use/recovery.md lists exactly the permissions that its commands need."""

from __future__ import annotations

import re
from pathlib import Path

from tests.deploy.documented import PREFIXES, RENAMED
from tests.harness.aws_calls import Code

ROOT = Path(__file__).resolve().parents[3]
RELEASE = ROOT / "deploy" / "release"
BACKUP = ROOT / "deploy" / "backup"
FILES = (
    *(path for path in sorted(BACKUP.glob("*.py")) if path.name != "infrastructure.py"),
    *(RELEASE / f"{name}.py" for name in ("application", "commands", "imports", "snapshots")),
    ROOT / "deploy" / "target.py",
)
#: Copies within S3, of a version and back, between buckets with keys:
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
COPY = {"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:AbortMultipartUpload"}
KEYS = {"kms:Decrypt", "kms:GenerateDataKey"}


def test_the_page_lists_what_the_commands_call() -> None:
    code = Code(FILES)
    entries = {BACKUP / "commands.py": ("backup", "restore"), RELEASE / "commands.py": ("snapshots", "import_plan")}
    calls = {call for file, names in entries.items() for call in code.calls(file, *names, registered=False)}
    # `snapshots` calls under the names that it imports them by.
    calls |= code.calls(RELEASE / "snapshots.py", "prune", registered=False)
    actions = {f"{PREFIXES.get(call.service, call.service)}:{call.operation}" for call in calls}
    needed = {RENAMED.get(action, action) for action in actions} | COPY | KEYS
    page = (ROOT / "docs" / "use" / "recovery.md").read_text(encoding="utf-8").partition("## Permissions\n")[2]
    assert set(re.findall(r"`([a-z0-9-]+:[A-Z]\w+)`", page)) == needed
