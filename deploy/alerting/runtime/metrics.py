"""CloudWatch metrics of alerting, written to the functions' logs in embedded metric format."""

from __future__ import annotations

import os

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE, DIMENSION = "Metering", "Deployment"
#: Tenants with alerts whose routes name no recipient.
NO_RECIPIENTS = "NoRecipients"
#: Tenants whose routes document is invalid, so that the last valid one is in force.
ROUTES_REJECTED = "RoutesRejected"
#: Recipients that cannot be reached: the secret is missing, or the circuit breaker is open.
RECIPIENTS_DOWN = "RecipientsDown"
#: Notifications held back because a recipient's budget is used up.
OVER_BUDGET = "NotificationsOverBudget"
#: Records of the alerts stream that are not valid changes of an alert.
UNREADABLE = "UnreadableAlerts"


def count(name: str, value: int = 1) -> None:
    """Write a value of a metric of this deployment."""
    with single_metric(name=name, unit=MetricUnit.Count, value=value, namespace=NAMESPACE) as metric:
        metric.add_dimension(name=DIMENSION, value=os.environ.get("DEPLOYMENT", "local"))
