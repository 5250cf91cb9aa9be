"""Rows of the bill with their resource types, and resource types without charge with the reason."""

from __future__ import annotations

from collections.abc import Mapping

#: Resource types by row of the bill.
ROWS: Mapping[str, tuple[str, ...]] = {
    "Kinesis": ("AWS::Kinesis::Stream",),
    "Managed Flink": ("AWS::KinesisAnalyticsV2::Application",),
    "Firehose": ("AWS::KinesisFirehose::DeliveryStream",),
    "IoT Core": ("AWS::IoT::TopicRule", "AWS::IoT::AccountAuditConfiguration"),
    "S3": ("AWS::S3::Bucket",),
    "Athena": ("AWS::Athena::WorkGroup",),
    "Lambda": ("AWS::Lambda::Function",),
    "DynamoDB": ("AWS::DynamoDB::Table",),
    "CloudWatch": ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Logs::LogGroup", "AWS::EC2::FlowLog"),
    "KMS": ("AWS::KMS::Key",),
    "API Gateway": ("AWS::ApiGatewayV2::Api",),
    "Cognito": ("AWS::Cognito::UserPool",),
    "Step Functions and Fargate": ("AWS::StepFunctions::StateMachine", "AWS::ECS::TaskDefinition"),
    "ECR": ("AWS::ECR::Repository",),
    "SNS and SQS": ("AWS::SNS::Topic", "AWS::SQS::Queue"),
    "VPC endpoints": ("AWS::EC2::VPCEndpoint",),
    "Secrets Manager": ("AWS::SecretsManager::Secret",),
}

_DESCRIPTION = "configuration of another resource, which is charged"
_NETWORK = "a VPC without NAT gateways is free"
_ACCESS = "permissions are free"

#: Resource types without a charge of their own, with the reason.
FREE: Mapping[str, str] = {
    "AWS::ApiGatewayV2::Authorizer": _DESCRIPTION,
    "AWS::ApiGatewayV2::Integration": _DESCRIPTION,
    "AWS::ApiGatewayV2::Route": _DESCRIPTION,
    "AWS::ApiGatewayV2::Stage": _DESCRIPTION,
    "AWS::Athena::NamedQuery": "a saved query costs when it is run: row Athena",
    "AWS::Budgets::Budget": "budgets without actions are free",
    "AWS::Cognito::ManagedLoginBranding": "part of the user pool's plan",
    "AWS::Cognito::UserPoolClient": "part of the user pool's plan",
    "AWS::Cognito::UserPoolDomain": "part of the user pool's plan",
    "AWS::Cognito::UserPoolGroup": "part of the user pool's plan",
    "AWS::EC2::RouteTable": _NETWORK,
    "AWS::EC2::SecurityGroup": _NETWORK,
    "AWS::EC2::Subnet": _NETWORK,
    "AWS::EC2::SubnetRouteTableAssociation": _NETWORK,
    "AWS::EC2::VPC": _NETWORK,
    "AWS::ECS::Cluster": "a cluster of Fargate tasks is free; its Container Insights are in row CloudWatch",
    "AWS::Events::Rule": "schedules and events of AWS services on the default bus are free",
    "AWS::Glue::Database": "the first million objects of the catalogue are free",
    "AWS::Glue::Table": "the first million objects of the catalogue are free; partitions are projected, not stored",
    "AWS::IAM::Policy": _ACCESS,
    "AWS::IAM::Role": _ACCESS,
    "AWS::IoT::Policy": _ACCESS,
    "AWS::IoT::ScheduledAudit": "the audit is charged for by device: row IoT Core",
    "AWS::IoT::ThingType": "registry operations are charged for when devices are registered, once each",
    "AWS::KMS::Alias": "a name of a key",
    "AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption": "what is logged is in row CloudWatch",
    "AWS::Lambda::EventSourceMapping": "polling a stream without enhanced fan-out is free",
    "AWS::Lambda::Permission": _ACCESS,
    "AWS::Logs::LogStream": "what is logged is charged for by log group",
    "AWS::S3::BucketPolicy": _ACCESS,
    "AWS::Scheduler::Schedule": "the first 14 million invocations a month are free",
    "AWS::SNS::Subscription": "deliveries are charged for by topic",
    "AWS::SNS::TopicPolicy": _ACCESS,
    "AWS::SQS::QueuePolicy": _ACCESS,
    "AWS::SSM::Parameter": "standard parameters are free",
}
