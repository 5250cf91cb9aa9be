"""Network of the tasks of uploaded files and settlement: no way out but VPC endpoints of services that they call."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Aws, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from deploy.kit.deployment import Deployment
from deploy.kit.logs import log_group

RANGE = "10.40.0.0/20"
_AWS = ec2.InterfaceVpcEndpointAwsService
#: Interface endpoints, with the actions that their policies allow. ECR and logs serve the start of a task.
INTERFACES = {
    "Kinesis": (_AWS.KINESIS_STREAMS, ["kinesis:PutRecords"]),
    "Registry": (_AWS.ECR, ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken",
                            "ecr:GetDownloadUrlForLayer"]),
    "Images": (_AWS.ECR_DOCKER, ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken",
                                 "ecr:GetDownloadUrlForLayer"]),
    "Logs": (_AWS.CLOUDWATCH_LOGS, ["logs:CreateLogStream", "logs:PutLogEvents"]),
}  # fmt: skip


class Network(Construct):
    """VPC without an internet gateway or NAT gateway.

    Each endpoint accepts only calls of this account, so that credentials of another one cannot carry data out. An
    environment that retains its data has endpoints in two availability zones, others in one.
    """

    def __init__(self, scope: Construct, id: str, deployment: Deployment) -> None:
        super().__init__(scope, id)
        isolated = ec2.SubnetConfiguration(name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(RANGE),
            max_azs=deployment.environment.zones,
            nat_gateways=0,
            subnet_configuration=[isolated],
            restrict_default_security_group=False,
        )
        log = log_group(self, "FlowLog", deployment)
        self.vpc.add_flow_log("Flows", destination=ec2.FlowLogDestination.to_cloud_watch_logs(log))
        self.group = self._group("Group", "Tasks: HTTPS to VPC endpoints only")
        # The endpoint of S3 is a route to public addresses of the region; there is no other route out of the VPC.
        self.group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "HTTPS to VPC endpoints")
        self._interfaces()
        self._storage()

    def _group(self, id: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, id, vpc=self.vpc, allow_all_outbound=False, description=description)

    def _interfaces(self) -> None:
        group = self._group("Endpoints", "VPC endpoints: HTTPS from the VPC")
        group.add_ingress_rule(ec2.Peer.ipv4(RANGE), ec2.Port.tcp(443), "HTTPS from tasks")
        for id, (service, actions) in INTERFACES.items():
            endpoint = self.vpc.add_interface_endpoint(id, service=service, security_groups=[group], open=False)
            endpoint.add_to_policy(_of_this_account(actions, ["*"]))

    def _storage(self) -> None:
        """Gateway endpoint of S3: the buckets that tasks use, and that in which ECR stores layers of images."""
        self._s3 = endpoint = self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        layers = f"arn:{Aws.PARTITION}:s3:::prod-{Stack.of(self).region}-starport-layer-bucket/*"
        # ECR signs the URLs of layers with an account of its own.
        endpoint.add_to_policy(
            iam.PolicyStatement(principals=[iam.AnyPrincipal()], actions=["s3:GetObject"], resources=[layers])
        )

    def reach(self, bucket: str, *written: str) -> None:
        """Let tasks read a bucket, and write objects whose keys match `written`, by its gateway endpoint."""
        arn = f"arn:{Aws.PARTITION}:s3:::{bucket}"
        self._s3.add_to_policy(_of_this_account(["s3:ListBucket"], [arn]))
        self._s3.add_to_policy(_of_this_account(["s3:GetObject"], [f"{arn}/*"]))
        if written:
            keys = [f"{arn}/{key}" for key in written]
            self._s3.add_to_policy(_of_this_account(["s3:AbortMultipartUpload", "s3:PutObject"], keys))


def _of_this_account(actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    """Statement of an endpoint's policy that allows actions to principals of this account."""
    return iam.PolicyStatement(
        principals=[iam.AnyPrincipal()],
        actions=list(actions),
        resources=list(resources),
        conditions={"StringEquals": {"aws:PrincipalAccount": Aws.ACCOUNT_ID}},
    )
