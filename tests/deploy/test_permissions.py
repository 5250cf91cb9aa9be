"""Who may do what: a permission more or less is seen in review, and a new wildcard fails by name."""

from __future__ import annotations

import pytest

from tests.deploy.conftest import Templates, of_kind
from tests.deploy.iam import SNAPSHOT, permissions

REVIEWED = SNAPSHOT.read_text(encoding="utf-8").splitlines()


def test_no_wildcard_that_nobody_reviewed(templates: Templates) -> None:
    new = [line for line in permissions(templates) if "*" in line and line not in REVIEWED]
    assert not new, "give the action or resource its name; if it has none, `python -m tests.deploy.iam` and say why"


def test_every_permission_was_reviewed(templates: Templates) -> None:
    assert permissions(templates) == REVIEWED, "`python -m tests.deploy.iam` writes the file"


def test_a_new_wildcard_would_be_seen(templates: Templates) -> None:
    """The test above can fail: one more statement is found."""
    role = next(iter(of_kind(templates["metering-dev-job"], "AWS::IAM::Policy").values()))
    document = {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    changed = {"Resources": {"P": {"Type": "AWS::IAM::Policy", "Properties": {**role, "PolicyDocument": document}}}}
    [line] = set(permissions({"x": changed}, ["x"])) - set(REVIEWED)
    assert "s3:*" in line


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_no_action_is_a_wildcard_and_no_policy_is_amazons(templates: Templates, environment: str) -> None:
    stacks = [name for name in templates if name.startswith(f"metering-{environment}-")]
    lines = permissions(templates, stacks)
    assert not [line for line in lines if "managed policy" in line]
    for stack in stacks:
        for policy in of_kind(templates[stack], "AWS::IAM::Policy").values():
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                assert not [action for action in actions if "*" in action], (stack, statement)


def test_each_function_has_a_role_of_its_own(templates: Templates) -> None:
    functions = of_kind(templates["metering-dev-pipeline"], "AWS::Lambda::Function")
    roles = [str(properties["Role"]) for properties in functions.values()]
    assert len(roles) == len(set(roles)) == 8


def test_a_device_speaks_for_itself_alone(templates: Templates) -> None:
    [policy] = of_kind(templates["metering-dev-pipeline"], "AWS::IoT::Policy").values()
    thing = "${iot:Connection.Thing.ThingName}"
    by_action = {s["Action"]: s for s in policy["PolicyDocument"]["Statement"]}
    assert set(by_action) == {"iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive"}
    for statement in by_action.values():
        assert str(statement["Resource"]).count(thing) == 1
        assert "*" not in str(statement["Resource"])
    assert by_action["iot:Connect"]["Condition"] == {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
