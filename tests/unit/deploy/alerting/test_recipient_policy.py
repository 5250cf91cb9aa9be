"""Routes with recipients that are not permitted are refused before the upload, and an environment has one account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.alerting.recipient_policy import RecipientNotPermittedError, RecipientPolicy, queue_arn
from deploy.alerting.runtime.routes import read_routes
from deploy.kit.names import Names
from deploy.release.registry import RegistryError, upload
from deploy.settings import Environment, SettingsError, check_account

ACCOUNT = "111122223333"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:hook-AbCdEf"
PLANT = Environment(
    "plant",
    recipients=(f"arn:aws:sns:eu-west-1:{ACCOUNT}:shift-*", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:cmms"),
    secrets=(f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:hook-??????",),
)
POLICY = RecipientPolicy.of(PLANT, Names(PLANT.prefix), ACCOUNT)


def routes(**recipient: str) -> bytes:
    return json.dumps({"recipients": {"who": recipient}, "routes": [{"site": "*", "to": ["who"]}]}).encode()


@pytest.mark.parametrize(
    "recipient",
    [
        {"sns": f"arn:aws:sns:eu-west-1:{ACCOUNT}:metering-plant-people"},
        {"sns": f"arn:aws:sns:eu-west-1:{ACCOUNT}:metering-plant-people.fifo"},
        {"sns": f"arn:aws:sns:eu-west-1:{ACCOUNT}:shift-night"},
        {"sqs": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/cmms"},
        {"webhook": "https://hook.example", "secret": SECRET},
    ],
)
def test_permitted_recipients_are_accepted(recipient: dict[str, str]) -> None:
    POLICY.check(read_routes(routes(**recipient)))


@pytest.mark.parametrize(
    ("recipient", "named"),
    [
        ({"sns": f"arn:aws:sns:eu-west-1:{ACCOUNT}:other"}, "recipients"),
        ({"sns": f"arn:aws:sns:eu-west-1:{ACCOUNT}:metering-plant-people-2"}, "recipients"),
        ({"sns": "arn:aws:sns:eu-west-1:444455556666:shift-night"}, "recipients"),
        ({"sqs": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/cmms-2"}, "recipients"),
        ({"sqs": "https://queue.example/cmms"}, "recipients"),
        ({"webhook": "https://hook.example", "secret": SECRET + "G"}, "secrets"),
    ],
)
def test_other_recipients_are_refused_with_the_setting_to_change(recipient: dict[str, str], named: str) -> None:
    with pytest.raises(RecipientNotPermittedError, match=f"add it to {named} of environment plant"):
        POLICY.check(read_routes(routes(**recipient)))


def test_refused_routes_are_not_uploaded(tmp_path: Path) -> None:
    class Bucket:
        def put_object(self, **given: Any) -> None:
            raise AssertionError(given)

    path = tmp_path / "routes.json"
    path.write_bytes(routes(sns=f"arn:aws:sns:eu-west-1:{ACCOUNT}:other"))
    with pytest.raises(RegistryError, match=r"routes.json: recipient 'who': no permission to use arn:aws:sns"):
        upload(Bucket(), "registry", routes=path, reach=POLICY)


def test_queue_urls_are_converted_to_arns() -> None:
    assert (
        queue_arn(f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/a.fifo") == f"arn:aws:sqs:eu-west-1:{ACCOUNT}:a.fifo"
    )
    assert queue_arn("http://127.0.0.1:4566/1/a") == "http://127.0.0.1:4566/1/a"


def test_settings_must_name_resources_of_the_right_service() -> None:
    with pytest.raises(SettingsError, match=r"recipients: 'ana@plant.example' is not an ARN of sns or sqs"):
        Environment("x", recipients=("ana@plant.example",))
    with pytest.raises(SettingsError, match="secrets"):
        Environment("x", secrets=("arn:aws:sns:eu-west-1:111122223333:hook",))
    with pytest.raises(SettingsError, match="12-digit"):
        Environment("x", account="123")


def test_an_environment_is_deployed_into_its_own_account_only() -> None:
    check_account(Environment("x", retain=False), ACCOUNT)
    with pytest.raises(SettingsError, match=rf'sets no account.*\n\n  \[x\]\n  account = "{ACCOUNT}"'):
        check_account(Environment("x"), ACCOUNT)
    check_account(Environment("x", account=ACCOUNT), ACCOUNT)
    with pytest.raises(
        SettingsError, match=r"x belongs to account 444455556666 .* of 111122223333: change AWS_PROFILE"
    ):
        check_account(Environment("x", account="444455556666"), ACCOUNT)
