"""HTTP API of alerts and queries for users of the Cognito user pool, and the function and table of the queries."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from deploy.api.runtime.parameters import QUERIES
from deploy.kit.bundling import API
from deploy.kit.deployment import Deployment
from deploy.kit.function import Function
from deploy.kit.grants import use_table
from deploy.kit.logs import log_group
from deploy.kit.query_grants import grant_queries
from deploy.settings import Environment

ALERT_ROUTES = (
    "GET /alerts",
    "GET /alerts/{alert_id}",
    "POST /alerts/{alert_id}/ack",
    "POST /alerts/{alert_id}/assign",
    "POST /alerts/{alert_id}/close",
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
    """HTTP API with a JWT authorizer on every route, an access log and throttling."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        deployment: Deployment,
        users: cognito.IUserPool,
        client: cognito.IUserPoolClient,
    ) -> None:
        super().__init__(scope, id)
        names = deployment.names
        self._authorizer = authorizers.HttpUserPoolAuthorizer("Users", users, user_pool_clients=[client])
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
        """Add routes, `METHOD /path`, that invoke a function."""
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
    """The function of the query API, and the table that records the owner of each query."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        deployment: Deployment,
        workgroup: str,
        last_values: str,
    ) -> None:
        super().__init__(scope, id)
        names, key = deployment.names, deployment.key
        self._names, self._workgroup = names, workgroup
        self.table = dynamodb.Table(
            self,
            "Started",
            table_name=f"{names.prefix}-queries",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            partition_key=dynamodb.Attribute(name="query_id", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="expires_s",
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification={"point_in_time_recovery_enabled": True},
            # Items expire with the results of their queries after a week: nothing worth retaining.
            removal_policy=RemovalPolicy.DESTROY,
        )
        variables = {
            "QUERIES_TABLE": self.table.table_name,
            "WORKGROUP": workgroup,
            "DATABASE": names.database,
            "LAST_VALUES": last_values,
            **_quotas(deployment.environment),
        }
        self.function = Function(self, "queries-api", deployment, API, "api.handler", variables, timeout_s=29)
        use_table(self.function.role, self.table, ["GetItem", "PutItem", "UpdateItem"])

    def read(self, last_values: dynamodb.ITable) -> None:
        """Grant the queries of the library in the workgroup, and reading the last values."""
        role = self.function.role
        statements = (query.sql for query in QUERIES.values())
        grant_queries(role, self._names, self._workgroup, *statements, may_stop=True)
        use_table(role, last_values, ["GetItem", "Query"])


def _quotas(environment: Environment) -> dict[str, str]:
    """Athena quotas per user, as environment variables of the function."""
    return {
        "QUERIES_PER_DAY": str(environment.queries_per_day),
        "BYTES_PER_DAY": str(environment.query_gb_per_day * 1_000_000_000),
        "QUERIES_AT_ONCE": str(environment.queries_at_once),
    }
