"""Alarms with links to docs/use/runbook.md, a dashboard, a budget, and notifications about the data key."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from deploy.kit.deployment import Deployment
from deploy.monitoring.alarm import Alarm, Measure
from deploy.monitoring.topic import OperatorsTopic
from deploy.settings import Environment

WIDTH, PER_ROW = 8, 3
#: Runbook in alarms if the setting `runbook_url` is empty.
RUNBOOK = "docs/use/runbook.md"
#: KMS calls that make a key unusable.
KEY_EVENTS = ("DisableKey", "ScheduleKeyDeletion")


class Monitoring(Construct):
    """Alarms, dashboard and budget of a deployment, and the topic that notifies operators."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment, alarms: Sequence[Alarm]) -> None:
        super().__init__(scope, id)
        names, environment = deployment.names, deployment.environment
        self._names, self._runbook = names, environment.runbook_url or RUNBOOK
        self.operators = OperatorsTopic(self, "Operators", names, environment.operators).topic
        self.alarms = [self._alarm(alarm) for alarm in alarms]
        self._dashboard(alarms)
        self._budget(environment)
        self._notify_key_changes(deployment)

    def _alarm(self, alarm: Alarm) -> cloudwatch.Alarm:
        made = cloudwatch.Alarm(
            self,
            alarm.id,
            alarm_name=f"{self._names.prefix}-{alarm.id}",
            alarm_description=f"[{alarm.severity}, {alarm.owner}] {alarm.meaning} "
            f"What to do: {self._runbook}#{alarm.section}",
            metric=metric(alarm),
            threshold=alarm.threshold,
            comparison_operator=getattr(cloudwatch.ComparisonOperator, alarm.comparison),
            evaluation_periods=alarm.periods,
            treat_missing_data=cloudwatch.TreatMissingData.MISSING
            if alarm.missing_is_bad
            else cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        action = actions.SnsAction(self.operators)
        made.add_alarm_action(action)
        made.add_ok_action(action)
        if alarm.missing_is_bad:
            # Alarms start in INSUFFICIENT_DATA and notify on transitions: nothing is sent before the first data.
            made.add_insufficient_data_action(action)
        return made

    def _dashboard(self, alarms: Sequence[Alarm]) -> None:
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
            for alarm in alarms
        ]
        for start in range(0, len(graphs), PER_ROW):
            board.add_widgets(*graphs[start : start + PER_ROW])

    def _budget(self, environment: Environment) -> None:
        if not environment.operators:
            return
        subscribers = [{"subscriptionType": "EMAIL", "address": address} for address in environment.operators]
        subscribers.append({"subscriptionType": "SNS", "address": self.operators.topic_arn})
        budget = budgets.CfnBudget(
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
                    "subscribers": subscribers,
                }
                for kind, share in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
        )
        # AWS Budgets checks its permission to publish when the budget is created.
        budget.node.add_dependency(self.operators)

    def _notify_key_changes(self, deployment: Deployment) -> None:
        """Notify operators when the data key is disabled or scheduled for deletion; needs a CloudTrail trail."""
        rule = events.Rule(
            self,
            "KeyChanged",
            rule_name=f"{self._names.prefix}-key-changed",
            description="Data key disabled or scheduled for deletion",
            event_pattern=events.EventPattern(
                source=["aws.kms"],
                detail_type=["AWS API Call via CloudTrail"],
                detail={
                    "eventSource": ["kms.amazonaws.com"],
                    "eventName": list(KEY_EVENTS),
                    "resources": {"ARN": [deployment.key.key_arn]},
                },
            ),
        )
        rule.add_target(targets.SnsTopic(self.operators, message=self._key_message()))

    def _key_message(self) -> events.RuleTargetInput:
        field = events.EventField.from_path
        return events.RuleTargetInput.from_text(
            f"[page, platform] {self._names.prefix}: {field('$.detail.userIdentity.arn')} called "
            f"{field('$.detail.eventName')} on the data key. What to do: {self._runbook}#key"
        )


def metric(alarm: Alarm) -> cloudwatch.IMetric:
    """The CloudWatch metric or math expression of an alarm."""
    period = Duration.seconds(alarm.period_s)
    measures = {name: _measure(measure, period) for name, measure in alarm.measures.items()}
    if not alarm.expression:
        [only] = measures.values()
        return only
    return cloudwatch.MathExpression(
        expression=alarm.expression, using_metrics=measures, label=alarm.title, period=period
    )


def _measure(measure: Measure, period: Duration) -> cloudwatch.IMetric:
    if not measure.namespace:
        return cloudwatch.MathExpression(expression=measure.name, using_metrics={}, period=period)
    return cloudwatch.Metric(
        namespace=measure.namespace,
        metric_name=measure.name,
        dimensions_map=dict(measure.dimensions),
        statistic=measure.statistic,
        period=period,
    )
