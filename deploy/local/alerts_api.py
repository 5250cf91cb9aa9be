"""The API of alerts at a local endpoint: HTTP API with a JWT authorizer over a Cognito user pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.local.resources import REGION, Names
from flink_job.publish import client

ROUTES = (
    "GET /alerts",
    "GET /alerts/{alert_id}",
    "POST /alerts/{alert_id}/ack",
    "POST /alerts/{alert_id}/assign",
    "POST /alerts/{alert_id}/comment",
    "POST /alerts/{alert_id}/snooze",
)


@dataclass(frozen=True)
class Api:
    """`url` is the beginning of every path; `pool` and `client_id` are where tokens come from."""

    url: str
    pool: str
    client_id: str


def create_api(names: Names, endpoint: str, function_arn: str) -> Api:
    """Create the user pool, the authorizer and the API over the function."""
    cognito, gateway = client("cognito-idp", endpoint), client("apigatewayv2", endpoint)
    sites = {"Name": "sites", "AttributeDataType": "String", "Mutable": True}
    pool = cognito.create_user_pool(PoolName=f"{names.prefix}-people", Schema=[sites])["UserPool"]["Id"]
    client_id = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="console",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    api = gateway.create_api(Name=f"{names.prefix}-alerts", ProtocolType="HTTP")["ApiId"]
    authorizer = gateway.create_authorizer(
        ApiId=api,
        AuthorizerType="JWT",
        Name="people",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={
            "Issuer": f"https://cognito-idp.{REGION}.amazonaws.com/{pool}",
            "Audience": [client_id],
        },
    )["AuthorizerId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function_arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    for route in ROUTES:
        gateway.create_route(
            ApiId=api,
            RouteKey=route,
            Target=f"integrations/{integration}",
            AuthorizationType="JWT",
            AuthorizerId=authorizer,
        )
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return Api(f"{endpoint}/_aws/execute-api/{api}/$default", pool, client_id)


def token_of(api: Api, endpoint: str, email: str, sites: str, password: str = "Correct-horse-1") -> str:
    """A token of a user, who is created first. `sites` are the factories they may see."""
    cognito: Any = client("cognito-idp", endpoint)
    attributes = [
        {"Name": "email", "Value": email},
        {"Name": "email_verified", "Value": "true"},
        {"Name": "custom:sites", "Value": sites},
    ]
    cognito.admin_create_user(UserPoolId=api.pool, Username=email, UserAttributes=attributes, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=api.pool, Username=email, Password=password, Permanent=True)
    answer = cognito.initiate_auth(
        ClientId=api.client_id,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )
    return str(answer["AuthenticationResult"]["IdToken"])
