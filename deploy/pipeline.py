"""The pipeline stack: every unit that can be created again from its definition, and the grants between units."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from deploy.alerting.infrastructure import AlertingFunctions, NotificationTopics
from deploy.api.infrastructure import ALERT_ROUTES, QUERY_ROUTES, Api, Queries
from deploy.batch.image import image_tag
from deploy.canary.infrastructure import Canary
from deploy.contracts.infrastructure import ContractStore
from deploy.ingest.defender import DeviceAudit
from deploy.ingest.devices import Devices
from deploy.ingest.network import Network
from deploy.ingest.uploads import Uploads
from deploy.kit.deployment import Deployment, names_of
from deploy.kit.function import Function
from deploy.kit.grants import allow, read_objects
from deploy.kit.names import ROUTES, RULES_FOLDER
from deploy.kit.outputs import output
from deploy.lake.delivery import Athena, Catalog, Delivery
from deploy.lake.last_values import LastValues, last_values_table
from deploy.settings import Environment
from deploy.settlement.infrastructure import Settlement
from deploy.stacks import DataStack, imported_key
from flink_job.billing.settling import WRITTEN
from flink_job.schemas import ALERT_ACTIONS


class PipelineStack(Stack):
    """All units from the catalog to the canary. One `_wire_*` method per unit."""

    def __init__(self, scope: Construct, id: str, environment: Environment, data: DataStack, **options: Any) -> None:
        super().__init__(scope, id, **options)
        self.add_stack_dependency(data)
        self._data, self._environment, self._names = data, environment, names_of(environment)
        self._deployment = Deployment(self._names, environment, imported_key(self, data))
        self.delivery, athena = self._wire_lake()
        self._wire_devices()
        self._wire_contracts()
        self._wire_uploads()
        if environment.settlement:
            self._wire_settlement()
        alerting = self._wire_alerting()
        last_values = self._wire_last_values()
        self._wire_api(athena, alerting, last_values)
        if environment.canary:
            self._wire_canary(athena)

    def _wire_lake(self) -> tuple[Delivery, Athena]:
        """Glue catalog, delivery streams and Athena workgroup."""
        catalog = Catalog(self, "Catalog", self._names)
        delivery = Delivery(self, "Delivery", self._deployment)
        delivery.node.add_dependency(catalog)
        athena = Athena(self, "Athena", self._deployment)
        output(self, "WorkGroup", athena.name, "Athena workgroup")
        return delivery, athena

    def _wire_devices(self) -> None:
        """Devices, and what Device Defender checks of them."""
        Devices(self, "Devices", self._deployment, self._data.streams.readings)
        if self._environment.device_audit:
            DeviceAudit(self, "DeviceAudit", self._deployment)

    def _wire_contracts(self) -> None:
        """Contract store: stores the contracts of the stream and exports them every hour."""
        contracts = ContractStore(self, "Contracts", self._deployment, self._data.contract_table)
        contracts.listen(self._data.streams.contracts)
        contracts.export()

    def _wire_uploads(self) -> None:
        """Uploaded files: published by a Fargate task for each object."""
        self._network = network = Network(self, "Network", self._deployment)
        network.reach(self._names.uploads, "*")
        uploads = Uploads(self, "Uploads", self._deployment, network, self._data.images, image_tag())
        uploads.start_at(self._names.uploads)
        uploads.grant(self._data.streams.readings)
        output(self, "Machine", uploads.machine.state_machine_arn, "State machine that publishes uploaded files")

    def _wire_settlement(self) -> None:
        """Settlement: reads and writes the lake every night."""
        network, source = self._network, self._names.of(self._environment.source_prefix)
        network.reach(self._names.lake, *(f"{table}/*" for table in WRITTEN))
        network.reach(source.registry)
        settlement = Settlement(self, "Settlement", self._deployment, network, self._data.images, image_tag())
        settlement.grant()
        settlement.schedule()
        output(self, "Settlement", settlement.machine.state_machine_arn, "State machine that settles billing cycles")

    def _wire_alerting(self) -> AlertingFunctions:
        """Notifier, sweeper and alerts API, with the topics and queues they send to."""
        channels = NotificationTopics(self, "Channels", self._deployment)
        variables = {
            "TABLE": self._data.alert_state.table_name,
            "ROUTES_URI": f"s3://{self._names.registry}/{ROUTES}",
            "CHECK_QUEUE": channels.check.queue_url,
            "DEPLOYMENT": self._names.prefix,
            "ACTIONS_STREAM": self._names.delivery(ALERT_ACTIONS.name),
        }
        alerting = AlertingFunctions(self, "Alerting", self._deployment, variables)
        alerting.grant(self._data.alert_state, channels)
        alerting.consume(self._data.streams.alerts)
        alerting.schedule_sweeper()
        for function in (alerting.notifier, alerting.sweeper):
            read_objects(function.role, self._names.registry, RULES_FOLDER)
        allow(alerting.api.role, ["firehose:PutRecord"], self.delivery.arn(ALERT_ACTIONS.name))
        output(self, "Topic", channels.people.topic_arn, "Topic of notifications for people")
        output(self, "FifoTopic", channels.programs.topic_arn, "FIFO topic of notifications for programs")
        output(self, "Inbox", channels.inbox.queue_url, "Queue subscribed to the FIFO topic")
        output(self, "CheckQueue", channels.check.queue_url, "Queue that the check after a deployment reads")
        self._function_output("Notifier", alerting.notifier, "Function that sends notifications")
        self._function_output("Sweeper", alerting.sweeper, "Function that retries deliveries")
        self._function_output("AlertsApi", alerting.api, "Function of the alerts API")
        return alerting

    def _wire_last_values(self) -> dynamodb.Table:
        """Table of last values, and the function that writes it if the environment has one."""
        table = last_values_table(self, self._names, self._deployment.key)
        if self._environment.last_values:
            writer = LastValues(self, "LastValuesWriter", self._deployment, table)
            writer.listen(self._data.streams.readings, self._data.streams.contracts)
        return table

    def _wire_api(self, athena: Athena, alerting: AlertingFunctions, last_values: dynamodb.Table) -> None:
        """HTTP API over the functions of alerts and of queries."""
        people = self._data.people
        api = Api(self, "Api", self._deployment, people.pool, people.client)
        queries = Queries(self, "Queries", self._deployment, athena.name, last_values.table_name)
        queries.read(last_values)
        api.route(ALERT_ROUTES, alerting.api.function, "Alerts")
        api.route(QUERY_ROUTES, queries.function.function, "Queries")
        # A parameter, not an export: this stack can be replaced while the monitoring stack stays.
        ssm.StringParameter(self, "ApiIdForMonitoring", parameter_name=self._names.api_id, string_value=api.api.api_id)
        output(self, "ApiUrl", api.url, "URL of the API")
        output(self, "ApiId", api.api.api_id, "Id of the API in API Gateway")
        self._function_output("QueriesApi", queries.function, "Function of the queries API")

    def _wire_canary(self, athena: Athena) -> None:
        """Canary: publishes synthetic readings and checks their costs in Athena."""
        canary = Canary(self, "Canary", self._deployment, athena.name)
        canary.schedule(self._data.streams.readings, self._data.streams.contracts)

    def _function_output(self, name: str, function: Function, description: str) -> None:
        output(self, name, function.function.function_arn, description)
