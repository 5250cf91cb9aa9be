"""The meaning of every setting, with its unit, by property group of the job and of an environment."""

from __future__ import annotations

_SOURCE = {
    "stream": "Name of the Kinesis stream",
    "region": "AWS region",
    "endpoint": "Endpoint other than AWS's, such as the local one",
    "initial_position": "Position from which a job without state reads",
    "initial_timestamp": "For AT_TIMESTAMP: the time, ISO 8601",
    "tenant": "Tenant of records that name none",
    "connector": "`connector.<option>`: an option of the connector",
}

JOB: dict[str, dict[str, str]] = {
    "readings": _SOURCE,
    "contracts": {
        **_SOURCE,
        "snapshot_uri": "Snapshot of the latest contract of each meter, read by a job without state: a path or s3://bucket/key",
        "snapshot_is_complete": "Whether it has every contract, so that readings do not wait for the stream",
    },
    "outputs": {
        "costs": "Firehose delivery stream of table `costs`",
        "kpis": "Firehose delivery stream of table `kpis`",
        "alerts": "Firehose delivery stream of table `alerts`",
        "rejected": "Firehose delivery stream of table `rejected`",
        "unpriced": "Firehose delivery stream of table `unpriced`",
        "duplicates": "Firehose delivery stream of table `duplicates`",
        "measurements": "Firehose delivery stream of table `measurements`",
        "register_reads": "Firehose delivery stream of table `register_reads`",
        "contract_changes": "Firehose delivery stream of table `contract_changes`",
        "alerts_stream": "Kinesis stream of alerts, from which people are notified; empty for none",
        "lake": "s3://bucket of the delivery streams; read by `redrive` and `gaps`, not by the job",
        "region": "AWS region",
        "endpoint": "Endpoint other than AWS's",
        "connector": "`connector.<option>`: an option of the connector ([packing](connectors.md#packed-records))",
    },
    "tariffs": {
        "uri": "Tariff registry: a folder or s3://bucket/prefix",
        "refresh_s": "Time between two reads of the tariff registry [s]",
        "keep_copies": "Write a copy of each tariff in force beside its document, which outlives a faulty one",
        "rules_uri": "Alert rules: a file or s3://bucket/key; empty for none",
        "rules_refresh_s": "Time between two reads of the alert rules [s]",
        "region": "AWS region",
        "endpoint": "Endpoint other than AWS's",
    },
    "job": {
        "name": "Name of the job",
        "parallelism": "Slots of the job",
        "max_parallelism": "Upper limit of the parallelism; fixed for the lifetime of the state",
        "watermark_delay_s": "Delay of the watermark behind the highest event time [s]",
        "idle_timeout_s": "Time without records after which a shard no longer holds back the watermark [s]",
        "contracts_idle_s": "Time without contracts after which their stream has been read up to its head: readings "
        "wait for that at every start [s]",
        "max_future_s": "How far an interval may begin after the arrival of its record [s]",
        "max_record_bytes": "Size above which a record is rejected [bytes]",
        "silence_s": "Time without readings after which an entity has no data, for rules with `no_data`; it should "
        "exceed the interval of the readings [s]",
        "state_days": "TTL of intervals, demand intervals and bills after their last reading; the horizon of "
        "deduplication [days]",
        "checkpoint_s": "Time between two checkpoints [s]",
        "python_bundle_size": "Rows of a bundle of the Python functions",
        "python_bundle_ms": "Time that a row waits for its bundle [ms]",
        "request_tuning": "Set RocksDB's and PyFlink's options in the program. Managed Flink refuses that unless AWS "
        "Support has permitted it; a local run always sets them",
        "require_devices": "Reject readings of a device if the contract of the meter lists no `devices`; otherwise "
        "such a meter accepts every device of its tenant",
        "sentry_dsn": "Where errors are reported; empty for nowhere",
        "sentry_secret": "ARN of the secret with the DSN",
    },
}

ENVIRONMENT: dict[str, str] = {
    "name": "Name of the environment; resources are named `metering-<name>-...`",
    "region": "AWS region",
    "account": "AWS account, 12 digits; credentials of another account are refused. Required if data are retained",
    "shards": "Shards of the readings stream; 0 for on-demand",
    "retention_h": "Retention of the readings stream [h]",
    "contracts_retention_h": "Retention of the contracts stream [h]",
    "retain": "Data outlive the environment, and `make destroy` is refused",
    "parallelism": "Slots of the job",
    "parallelism_per_kpu": "Slots that share a KPU; 1 for a job with state",
    "autoscaling": "The service scales the application by load",
    "buffer_s": "Time that Firehose buffers rows [s]",
    "buffer_mb": "Size that Firehose buffers [MB]",
    "log_days": "Retention of logs [days]",
    "archive_after_days": "Age at which objects of the lake move to cheaper storage; 0 for never [days]",
    "scan_limit_gb": "What one Athena query may read [GB]",
    "queries_per_day": "API queries of a user per UTC day",
    "query_gb_per_day": "What the queries of a user may read per UTC day [GB]",
    "queries_at_once": "Concurrent queries of a user",
    "last_values": "Store the last values of each meter in DynamoDB, at 0.625 USD per million writes",
    "last_values_days": "Retention of last values [days]",
    "monthly_budget_usd": "Budget of the environment per month [USD]",
    "operators": "Email addresses that receive alarms and budget messages. Required if data are retained",
    "runbook_url": "Address of your copy of the runbook, for the links in alarms",
    "recipients": "ARNs of SNS topics and SQS queues that routes may name besides the environment's own; `*` and `?` "
    "as in IAM",
    "secrets": "ARNs of the secrets that sign webhooks; an ARN ends in six random characters: `...:secret:hook-??????`",
    "recipient_keys": "ARNs of the KMS keys that encrypt recipients or secrets",
    "console_urls": "Addresses to which the sign-in page may return; https or localhost",
    "sentry_secret_arn": "ARN of the secret with Sentry's DSN; empty for no reports",
    "job": "Settings of group `job` above, as text",
    "quiet_s": "Time without readings after which an alarm is triggered, whole minutes; 0 for no such alarm [s]",
    "keep_snapshots": "Snapshots of the application that remain after a deployment",
    "device_audit": "Audit certificates and policies of devices daily (AWS IoT Device Defender), for the whole account "
    "and region: in one environment of these",
    "source": "Another environment whose streams and registry the job reads instead of its own "
    "([side by side](../use/operate.md#side-by-side))",
    "canary": "Publish a synthetic reading every 15 minutes, with an alarm on its cost",
    "settlement": "Settle the billing cycles with news every night",
    "settlement_hour": "Hour of the day at which it begins, 0 to 23",
    "settlement_zone": "Time zone of that hour",
}
