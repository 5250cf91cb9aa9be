"""Buckets: lake, registry (tariffs, rules, routes), uploads, and access logs."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from deploy.kit.buckets import data_bucket, private
from deploy.kit.deployment import Deployment
from deploy.kit.nag import accept

#: Retention of query results, failed deliveries, access logs and uploads [days].
RESULTS_DAYS, ERRORS_DAYS, ACCESS_LOG_DAYS, UPLOAD_DAYS = 7, 90, 90, 30
#: Days for which deleted and overwritten objects of the lake can be recovered.
NONCURRENT_LAKE_DAYS = 30


class Storage(Construct):
    """The four buckets: private, encrypted, TLS only; those with data are versioned."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment) -> None:
        super().__init__(scope, id)
        names, environment, key = deployment.names, deployment.environment, deployment.key
        self._environment, self._key = environment, key
        self.access_logs = s3.Bucket(
            self,
            "AccessLogs",
            bucket_name=names.access_logs,
            # S3 cannot deliver access logs to a bucket with a customer managed key.
            encryption=s3.BucketEncryption.S3_MANAGED,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(ACCESS_LOG_DAYS))],
            **private(environment),
        )
        accept(
            self.access_logs,
            "AwsSolutions-S1",
            "It is the bucket of access logs; logging its own accesses would be circular.",
        )
        self.lake = self._bucket("Lake", names.lake, self._lake_rules(), noncurrent_days=NONCURRENT_LAKE_DAYS)
        self.registry = self._bucket("Registry", names.registry, [])
        uploads = [s3.LifecycleRule(expiration=Duration.days(UPLOAD_DAYS))]
        self.uploads = self._bucket("Uploads", names.uploads, uploads)
        configuration = self.uploads.node.default_child
        assert isinstance(configuration, s3.CfnBucket)
        # An override, because the construct's option would add a custom resource with its own function and role.
        configuration.add_property_override(
            "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
        )

    def _bucket(self, id: str, name: str, rules: list[s3.LifecycleRule], noncurrent_days: int = 365) -> s3.Bucket:
        return data_bucket(
            self,
            id,
            name,
            self._key,
            self._environment,
            self.access_logs,
            log_prefix=f"{id.lower()}/",
            noncurrent_days=noncurrent_days,
            rules=rules,
        )

    def _lake_rules(self) -> list[s3.LifecycleRule]:
        rules = [
            s3.LifecycleRule(prefix="athena-results/", expiration=Duration.days(RESULTS_DAYS)),
            s3.LifecycleRule(prefix="errors/", expiration=Duration.days(ERRORS_DAYS)),
        ]
        if self._environment.archive_after_days:
            after = Duration.days(self._environment.archive_after_days)
            moved = s3.Transition(storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transition_after=after)
            # Bills are computed from costs: they are archived but never expire.
            rules.append(s3.LifecycleRule(prefix="costs/", transitions=[moved]))
        return rules
