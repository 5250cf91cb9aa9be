"""Alarms, each with what to do in docs/operate.md; a dashboard of the same; a budget."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from deploy.deployment import Deployment
from deploy.monitoring.alarms import Alarm, alarms
from deploy.settings import Environment

WIDTH, PER_ROW = 8, 3


class Monitoring(Construct):
    """What watches a deployment, and whom it tells."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment, queues: Sequence[str]) -> None:
        super().__init__(scope, id)
        names, environment, key = deployment.names, deployment.environment, deployment.key
        self._names = names
        self.operators = sns.Topic(
            self, "Operators", topic_name=f"{names.prefix}-operators", master_key=key, enforce_ssl=True
        )
        for address in environment.operators:
            self.operators.add_subscription(subscriptions.EmailSubscription(address))
        kpus = max(1, environment.parallelism // environment.parallelism_per_kpu)
        watched = alarms(names, queues, kpus)
        self.alarms = [self._alarm(alarm) for alarm in watched]
        self._dashboard(watched)
        self._budget(environment)

    def _alarm(self, alarm: Alarm) -> cloudwatch.Alarm:
        made = cloudwatch.Alarm(
            self,
            alarm.id,
            alarm_name=f"{self._names.prefix}-{alarm.id}",
            alarm_description=f"{alarm.meaning} What to do: docs/operate.md#{alarm.section}",
            metric=metric(alarm),
            threshold=alarm.threshold,
            comparison_operator=getattr(cloudwatch.ComparisonOperator, alarm.comparison),
            evaluation_periods=alarm.periods,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING
            if alarm.missing_is_bad
            else cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        action = actions.SnsAction(self.operators)
        made.add_alarm_action(action)
        made.add_ok_action(action)
        return made

    def _dashboard(self, watched: Sequence[Alarm]) -> None:
        board = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=self._names.prefix, default_interval=Duration.hours(12)
        )
        board.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=self.alarms, width=WIDTH * PER_ROW))
        graphs = [
            cloudwatch.GraphWidget(
                title=alarm.title,
                width=WIDTH,
                left=[metric(alarm)],
                left_annotations=[{"value": alarm.threshold, "label": "alarm", "color": cloudwatch.Color.RED}],
            )
            for alarm in watched
        ]
        for start in range(0, len(graphs), PER_ROW):
            board.add_widgets(*graphs[start : start + PER_ROW])

    def _budget(self, environment: Environment) -> None:
        if not environment.operators:
            return
        told = [{"subscriptionType": "EMAIL", "address": address} for address in environment.operators]
        budgets.CfnBudget(
            self,
            "Budget",
            budget={
                "budgetName": self._names.prefix,
                "budgetType": "COST",
                "timeUnit": "MONTHLY",
                "budgetLimit": {"amount": environment.monthly_budget_usd, "unit": "USD"},
                "costFilters": {"TagKeyValue": [f"user:deployment${self._names.prefix}"]},
            },
            notifications_with_subscribers=[
                {
                    "notification": {
                        "notificationType": kind,
                        "comparisonOperator": "GREATER_THAN",
                        "threshold": share,
                        "thresholdType": "PERCENTAGE",
                    },
                    "subscribers": told,
                }
                for kind, share in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
        )


def metric(alarm: Alarm) -> cloudwatch.IMetric:
    """The metric that an alarm watches."""
    watched = cloudwatch.Metric(
        namespace=alarm.namespace,
        metric_name=alarm.metric,
        dimensions_map=dict(alarm.dimensions),
        statistic=alarm.statistic,
        period=Duration.seconds(alarm.period_s),
    )
    if not alarm.cumulative:
        return watched
    return cloudwatch.MathExpression(
        expression="DIFF(counted)",
        using_metrics={"counted": watched},
        label=alarm.title,
        period=Duration.seconds(alarm.period_s),
    )
