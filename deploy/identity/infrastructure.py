"""Cognito user pool: the attributes `tenant` and `sites` define what a user may see, the groups what they may do."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from deploy.kit.access import EDITOR, OPERATOR, ROLES, VIEWER
from deploy.kit.deployment import removal
from deploy.kit.nag import accept
from deploy.kit.names import Names
from deploy.settings import Environment

ROLE_DESCRIPTIONS = {
    VIEWER: "Read costs, meters and alerts.",
    OPERATOR: "Also acknowledge, assign, comment on, snooze and close alerts.",
    EDITOR: "Also change rules and routes.",
}


class UserPool(Construct):
    """User pool and console client. There is no self sign-up: an administrator invites users and sets their sites."""

    def __init__(self, scope: Construct, id: str, names: Names, environment: Environment) -> None:
        super().__init__(scope, id)
        self.pool = cognito.UserPool(
            self,
            "Pool",
            user_pool_name=f"{names.prefix}-people",
            self_sign_up_enabled=False,
            sign_in_aliases={"email": True},
            # Only administrators can write these; the client below cannot.
            custom_attributes={
                "sites": cognito.StringAttribute(mutable=True),
                "tenant": cognito.StringAttribute(mutable=True, min_len=1, max_len=64),
            },
            # A changed address takes effect once it is verified.
            auto_verify={"email": True},
            keep_original={"email": True},
            password_policy={
                "min_length": 12,
                "require_lowercase": True,
                "require_uppercase": True,
                "require_digits": True,
                "require_symbols": True,
                "temp_password_validity": Duration.days(3),
            },
            mfa=cognito.Mfa.REQUIRED if environment.retain else cognito.Mfa.OPTIONAL,
            mfa_second_factor={"otp": True, "sms": False},
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            feature_plan=cognito.FeaturePlan.PLUS,
            standard_threat_protection_mode=cognito.StandardThreatProtectionMode.FULL_FUNCTION,
            deletion_protection=environment.retain,
            removal_policy=removal(environment),
        )
        if not environment.retain:
            accept(
                self.pool,
                "AwsSolutions-COG2",
                "Trial environments have test users only; MFA is required where data are retained.",
            )
        for order, role in enumerate(reversed(ROLES)):
            cognito.CfnUserPoolGroup(
                self,
                role.capitalize(),
                user_pool_id=self.pool.user_pool_id,
                group_name=role,
                precedence=order,
                description=ROLE_DESCRIPTIONS[role],
            )
        attributes = cognito.ClientAttributes().with_standard_attributes(email=True, fullname=True)
        self.client = self.pool.add_client(
            "Console",
            user_pool_client_name=f"{names.prefix}-console",
            # Local tests sign in with a password; environments that retain data allow SRP only.
            auth_flows={"user_srp": True, "user_password": not environment.retain},
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            access_token_validity=Duration.minutes(60),
            id_token_validity=Duration.minutes(60),
            refresh_token_validity=Duration.days(1),
            read_attributes=attributes.with_custom_attributes("sites", "tenant"),
            write_attributes=attributes,
            # A public client: sign-in uses PKCE and no client secret.
            o_auth={
                "flows": {"authorization_code_grant": True},
                "scopes": [cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL, cognito.OAuthScope.PROFILE],
                "callback_urls": list(environment.console_urls),
                "logout_urls": list(environment.console_urls),
            },
        )
        self.sign_in_url = self._sign_in_page(names)

    def _sign_in_page(self, names: Names) -> str:
        """Add Cognito's managed login for the client with the default style; return its URL."""
        stack, prefix = Stack.of(self), f"{names.prefix}-{Stack.of(self).account}"
        domain = self.pool.add_domain(
            "SignIn",
            cognito_domain={"domain_prefix": prefix},
            managed_login_version=cognito.ManagedLoginVersion.NEWER_MANAGED_LOGIN,
        )
        style = cognito.CfnManagedLoginBranding(
            self,
            "Style",
            user_pool_id=self.pool.user_pool_id,
            client_id=self.client.user_pool_client_id,
            use_cognito_provided_values=True,
        )
        style.node.add_dependency(domain)
        return f"https://{prefix}.auth.{stack.region}.amazoncognito.com"
