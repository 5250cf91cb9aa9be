"""The API: one HTTP API over the functions of alerts and of queries, for people with a token of the pool."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from deploy.api.runtime.questions import QUESTIONS
from deploy.identity.infrastructure import People
from deploy.kit.bundling import API
from deploy.kit.deployment import Deployment
from deploy.kit.function import Function
from deploy.kit.grants import use_table
from deploy.kit.logs import log_group
from deploy.lake.asking import let_ask
from deploy.lake.delivery import Athena
from deploy.settings import Environment

ALERT_ROUTES = (
    "GET /alerts",
    "GET /alerts/{alert_id}",
    "POST /alerts/{alert_id}/ack",
    "POST /alerts/{alert_id}/assign",
    "POST /alerts/{alert_id}/comment",
    "POST /alerts/{alert_id}/snooze",
)
QUERY_ROUTES = (
    "GET /questions",
    "POST /queries",
    "GET /queries/{query_id}",
    "POST /queries/{query_id}/stop",
    "GET /meters/{meter_id}/last-values",
)
RATE, BURST = 50, 100


class Api(Construct):
    """HTTP API with a JWT authorizer on every route, access log, throttling."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment, people: People) -> None:
        super().__init__(scope, id)
        names = deployment.names
        self._authorizer = authorizers.HttpUserPoolAuthorizer("People", people.pool, user_pool_clients=[people.client])
        self.api = gateway.HttpApi(self, "Http", api_name=f"{names.prefix}-api", create_default_stage=False)
        log = log_group(self, "AccessLog", deployment)
        gateway.CfnStage(
            self,
            "Stage",
            api_id=self.api.api_id,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings={"throttlingRateLimit": RATE, "throttlingBurstLimit": BURST},
            access_log_settings={
                "destinationArn": log.log_group_arn,
                "format": '{"time":"$context.requestTime","caller":"$context.authorizer.claims.sub",'
                '"ip":"$context.identity.sourceIp","route":"$context.routeKey","status":"$context.status",'
                '"ms":"$context.responseLatency","id":"$context.requestId","error":"$context.error.message"}',
            },
        )
        self.url = f"https://{self.api.api_id}.execute-api.{Stack.of(self).region}.{Stack.of(self).url_suffix}"

    def route(self, routes: tuple[str, ...], function: lambda_.IFunction, name: str) -> None:
        """Lead routes, `METHOD /path`, to a function."""
        integration = integrations.HttpLambdaIntegration(name, function)
        for route in routes:
            method, path = route.split(" ")
            self.api.add_routes(
                path=path,
                methods=[gateway.HttpMethod(method)],
                integration=integration,
                authorizer=self._authorizer,
            )


class Queries(Construct):
    """The function that asks Athena for people, and the table that knows whose query is whose."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        deployment: Deployment,
        athena: Athena,
        last_values: str,
    ) -> None:
        super().__init__(scope, id)
        names, key = deployment.names, deployment.key
        self._names, self._athena = names, athena
        self.table = dynamodb.Table(
            self,
            "Asked",
            table_name=f"{names.prefix}-asked",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            partition_key=dynamodb.Attribute(name="query_id", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="expires_s",
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification={"point_in_time_recovery_enabled": True},
            # Whose a query is matters for a week, as its result does.
            removal_policy=RemovalPolicy.DESTROY,
        )
        variables = {
            "ASKED": self.table.table_name,
            "WORKGROUP": athena.name,
            "DATABASE": names.database,
            "LAST_VALUES": last_values,
            **_quotas(deployment.environment),
        }
        self.function = Function(self, "queries-api", deployment, API, "api.handler", variables, timeout_s=29)
        use_table(self.function.role, self.table, ["GetItem", "PutItem", "UpdateItem"])

    def read(self, last_values: dynamodb.ITable) -> None:
        """Grant asking Athena in the one workgroup, over what the questions read, and the last values."""
        role = self.function.role
        questions = (question.sql for question in QUESTIONS.values())
        let_ask(role, self._names, self._athena.name, *questions, may_stop=True)
        use_table(role, last_values, ["GetItem", "Query"])


def _quotas(environment: Environment) -> dict[str, str]:
    """What each user may ask of Athena, as variables of the function."""
    return {
        "QUERIES_PER_DAY": str(environment.queries_per_day),
        "BYTES_PER_DAY": str(environment.query_gb_per_day * 1_000_000_000),
        "QUERIES_AT_ONCE": str(environment.queries_at_once),
    }
