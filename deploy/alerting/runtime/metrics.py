"""Metrics of alerting in CloudWatch, by way of the functions' logs (embedded metric format)."""

from __future__ import annotations

import os

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE, DIMENSION = "Metering", "Deployment"
#: Tenants with alerts whose routes lead to nobody.
NO_RECIPIENTS = "NoRecipients"
#: Tenants whose routes document cannot be used, so that the last good one is.
ROUTES_REJECTED = "RoutesRejected"
#: Recipients to which nothing can be sent: a secret is missing, or the breaker is open.
RECIPIENTS_DOWN = "RecipientsDown"
#: Notices held back because a recipient's budget is spent.
OVER_BUDGET = "NoticesOverBudget"
#: Records of the alerts stream that are no change of an alert.
UNREADABLE = "UnreadableAlerts"


def count(name: str, value: int = 1) -> None:
    """Write a metric of this deployment."""
    with single_metric(name=name, unit=MetricUnit.Count, value=value, namespace=NAMESPACE) as metric:
        metric.add_dimension(name=DIMENSION, value=os.environ.get("DEPLOYMENT", "local"))
