"""FIFO topics in templates: ministack's CloudFormation creates them without deduplication."""

from __future__ import annotations

from typing import Any

KIND = "AWS::SNS::Topic"


def install(handlers: dict, sns: Any) -> None:
    """Patch the handler of topics to set the FIFO attributes, as the SNS API does."""
    create = handlers[KIND]["create"]

    def create_topic(logical_id: str, properties: dict, stack: str) -> tuple:
        arn, attributes = create(logical_id, properties, stack)
        if str(properties.get("FifoTopic", "")).lower() == "true":
            topic = sns._topics[arn]
            by_content = str(properties.get("ContentBasedDeduplication", False)).lower()
            topic["attributes"] |= {"FifoTopic": "true", "ContentBasedDeduplication": by_content}
            topic["dedup_cache"], topic["fifo_seq"] = {}, 0
        return arn, attributes

    handlers[KIND]["create"] = create_topic
