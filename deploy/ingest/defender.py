"""AWS IoT Device Defender: a daily audit of the certificates and policies of devices.

It covers all devices of the account and region, so it is deployed with one environment of these. Detect, the other
feature of Device Defender, is closed to new customers since August 2026; alarm DevicesRefused
(deploy/monitoring/devices.py) watches what devices are refused.
"""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_iot as iot
from constructs import Construct

from deploy.kit.deployment import Deployment
from deploy.kit.grants import allow, service

#: Age at which a certificate is reported, to be replaced (docs/use/tenants.md) [days].
CERTIFICATE_DAYS = 365
#: Checks of the audit: property of CloudFormation, and name of the check. Roles and Cognito identities are not used by
#: devices.
CHECKS = {
    "conflictingClientIdsCheck": "CONFLICTING_CLIENT_IDS_CHECK",
    "deviceCertificateAgeCheck": "DEVICE_CERTIFICATE_AGE_CHECK",
    "deviceCertificateExpiringCheck": "DEVICE_CERTIFICATE_EXPIRING_CHECK",
    "deviceCertificateKeyQualityCheck": "DEVICE_CERTIFICATE_KEY_QUALITY_CHECK",
    "deviceCertificateSharedCheck": "DEVICE_CERTIFICATE_SHARED_CHECK",
    "iotPolicyOverlyPermissiveCheck": "IOT_POLICY_OVERLY_PERMISSIVE_CHECK",
    "ioTPolicyPotentialMisConfigurationCheck": "IOT_POLICY_POTENTIAL_MISCONFIGURATION_CHECK",
    "revokedDeviceCertificateStillActiveCheck": "REVOKED_DEVICE_CERTIFICATE_STILL_ACTIVE_CHECK",
}
#: Actions that the checks need.
AUDIT = (
    "iot:DescribeCACertificate",
    "iot:DescribeCertificate",
    "iot:GetEffectivePolicies",
    "iot:GetPolicy",
    "iot:ListCACertificates",
    "iot:ListCertificates",
    "iot:ListPolicies",
)


class DeviceAudit(Construct):
    """The account's audit settings, and a daily audit."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment) -> None:
        super().__init__(scope, id)
        role = iam.Role(self, "Role", assumed_by=service("iot.amazonaws.com", self))
        allow(role, AUDIT, "*", because="The audit reads all certificates and policies of the account.")
        checks: dict[str, dict[str, object]] = {name: {"enabled": True} for name in CHECKS}
        checks["deviceCertificateAgeCheck"]["configuration"] = {"certAgeThresholdInDays": str(CERTIFICATE_DAYS)}
        settings = iot.CfnAccountAuditConfiguration(
            self,
            "Settings",
            account_id=Stack.of(self).account,
            role_arn=role.role_arn,
            audit_check_configurations=checks,
        )
        # IoT reads the role's permissions when the checks are enabled.
        settings.node.add_dependency(role)
        audit = iot.CfnScheduledAudit(
            self,
            "Daily",
            scheduled_audit_name=deployment.names.audit,
            frequency="DAILY",
            target_check_names=list(CHECKS.values()),
        )
        audit.node.add_dependency(settings)
