"""The Kinesis action of IoT rules, which ministack ignores."""

from __future__ import annotations

import contextvars
import json
import re
from typing import Any

_TEMPLATE = re.compile(r"\$\{([^}]*)\}")
#: Topic and payload of the message that a rule is processing.
_message: contextvars.ContextVar[tuple[str, bytes]] = contextvars.ContextVar("rule_message")


def install(iot: Any, kinesis: Any) -> None:
    """Patch ministack to run Kinesis actions."""
    run, dispatch = iot._run_rule_actions, iot._dispatch_rule_action

    async def run_with_message(
        account: str, region: str, rule: dict, payload: bytes, topic: str = "", client_id: str | None = None
    ) -> None:
        token = _message.set((topic, payload or b""))
        try:
            await run(account, region, rule, payload, topic, client_id)
        finally:
            _message.reset(token)

    async def dispatch_with_kinesis(account: str, region: str, rule_name: str, action: dict, event: Any) -> None:
        if "kinesis" not in action:
            await dispatch(account, region, rule_name, action, event)
            return
        spec = action["kinesis"]
        with iot.request_scope(account, region):
            data = event if isinstance(event, bytes) else json.dumps(event).encode()
            arn = f"arn:aws:kinesis:{region}:{account}:stream/{spec['streamName']}"
            if not kinesis.put_record_internal(arn, _key(iot, spec["partitionKey"]), data):
                raise RuntimeError(f"Kinesis stream {spec['streamName']} does not exist")

    iot._run_rule_actions, iot._dispatch_rule_action = run_with_message, dispatch_with_kinesis


def _key(iot: Any, template: str) -> str:
    """Expand the templates of a partition key; they refer to the published message, not to the selected fields."""
    topic, payload = _message.get()

    def value(found: re.Match[str]) -> str:
        return str(iot._eval_select_expr(found[1].strip(), topic, payload, iot._rule_message(payload)))

    return _TEMPLATE.sub(value, template)
