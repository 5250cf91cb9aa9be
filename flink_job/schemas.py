"""The tables that the job writes: columns, types, units and keys. DDL, Glue tables, docs and tests come from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column: its Flink SQL type, its Glue (Hive) type, and what it holds, with its unit."""

    name: str
    flink: str
    glue: str
    doc: str


@dataclass(frozen=True)
class Table:
    """An output. `key` names the columns that identify a row: sinks are at-least-once, so read each key once.

    `event_time` is the column whose UTC date is the partition. It is the same in every copy of a row, so that a query
    of some days reads those days alone and still meets each key once.

    `written_at` is the column that tells copies of a row apart: the newest counts. Without it copies are alike. Of the
    tables in OUTCOMES it tells as well which of a record's outcomes counts. `outcome_where`, where given, is the SQL
    condition of the rows that are an outcome of a reading.
    """

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    event_time: str = ""
    written_at: str = ""
    outcome_where: str = ""


#: Partition of every table that is delivered: the UTC date of its `event_time`.
EVENT_DATE = Column("event_date", "STRING", "string", "Date of the row's event time, YYYY-MM-DD, UTC: the partition")


def _text(name: str, doc: str) -> Column:
    return Column(name, "STRING", "string", doc)


def _whole(name: str, doc: str) -> Column:
    return Column(name, "INT", "int", doc)


def _long(name: str, doc: str) -> Column:
    return Column(name, "BIGINT", "bigint", doc)


def _exact(name: str, doc: str) -> Column:
    return Column(name, "DECIMAL(18, 6)", "decimal(18,6)", doc)


def _time(name: str, doc: str) -> Column:
    return Column(name, "TIMESTAMP(3)", "timestamp", f"{doc}, UTC")


def _flag(name: str, doc: str) -> Column:
    return Column(name, "BOOLEAN", "boolean", doc)


_TENANT = _text("tenant", "Customer whose row it is; `default` where nobody said otherwise")
_DEVICE = _text("device", "IoT thing that sent the record, NULL where it is none")
_SHARD = _text("shard", "Kinesis shard, or input file")
_RECORD_POSITION = _text(
    "record_position",
    "Kinesis sequence number, or line number; of the n-th reading of a record that holds several, from the second on, "
    "with `.n` after it. With `shard` it names one reading",
)
_ARRIVAL = _time("arrival", "When the stream received the record")
#: A record may be read again after a crash, and end otherwise than before.
_NEWEST_OUTCOME = "of several outcomes of a record the newest counts"
_DAY = (_time("day_start", "Beginning of the site's local day"), _whole("day_s", "Length of that day [s]; 23 to 25 h"))

COSTS = Table(
    "costs",
    "A row for each reading: what it adds to its meter's bill. The sum over a billing cycle is the bill.",
    ("tenant", "reading_id"),
    (
        _TENANT,
        _text("reading_id", "Hash of meter, interval, revision and quantities"),
        _text("meter_id", "Meter"),
        _time("interval_start", "Beginning of the interval"),
        _whole("interval_s", "Length of the interval [s]"),
        _whole("revision", "0, or higher for a correction"),
        _text("quality", "actual, estimated or edited"),
        _text("device_id", "Device that sent the record"),
        _long("sequence_number", "Counter of the device, for gap detection"),
        _text("site_path", "factory/process/line/sensor"),
        _exact("energy_kwh", "Imported energy that the record adds [kWh]; a correction adds new minus old"),
        _exact("export_kwh", "Exported energy that the record adds [kWh]"),
        _exact("reactive_kvarh", "Imported reactive energy that the record adds [kvarh]"),
        _exact("reactive_export_kvarh", "Exported reactive energy that the record adds [kvarh]"),
        _text("tariff_id", "Tariff"),
        _text("tariff_version", "Its version"),
        _text("tou_period", "TOU period of the interval"),
        _text("cycle_start", "First local day of the billing cycle, YYYY-MM-DD"),
        _exact("energy_cost", "Energy charge [currency]"),
        _exact("demand_cost", "What the record adds to the demand charge [currency]"),
        _exact("fixed_cost", "Fixed charges that accrue over the interval [currency]"),
        _exact("export_credit", "Credit for exported energy, negative [currency]"),
        _exact("other_cost", "Other charges [currency]"),
        _exact("tax", "Taxes [currency]"),
        _exact("cost", "Sum of the above [currency]"),
        _text("currency", "ISO 4217 code"),
        _flag("provisional", "True where the batch layer may adjust the cost"),
        _flag("is_first", "True for the first record of its interval"),
        *_DAY,
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
        _time("costed_at", f"When the job costed the reading: of several copies, and {_NEWEST_OUTCOME}"),
    ),
    event_time="interval_start",
    written_at="costed_at",
)

KPIS = Table(
    "kpis",
    "Partial aggregates as windows close, `on_time` and `late`, for live use; the views `kpis_*` are exact.",
    ("tenant", "kpi_id"),
    (
        _TENANT,
        _text("kpi_id", "Key of the partial; of one reading's its `reading_id`"),
        _text("level", "meter, line, process or factory"),
        _text("entity", "Meter id, or the beginning of the site path"),
        _text("site_path", "Site path of the entity"),
        _time("window_start", "Beginning of the window; a day is the site's local day"),
        _time("window_end", "End of the window"),
        _whole("window_s", "900, 3600 or 86400"),
        _text("emission", "on_time (at the watermark; one reading of 900 s at once) or late (one late reading)"),
        _long("readings", "Intervals with a reading"),
        _long("expected_readings", "Intervals expected; for levels, of the meters heard from"),
        _whole("interval_s", "Longest interval among the readings [s]"),
        _exact("energy_kwh", "Imported energy [kWh]"),
        _exact("export_kwh", "Exported energy [kWh]"),
        _exact("reactive_kvarh", "Imported reactive energy [kvarh]"),
        _exact("cost", "Cost [currency]"),
        _text("currency", "ISO 4217 code"),
        _exact("min_kw", "Lowest mean power of a quarter hour [kW]"),
        _exact("max_kw", "Highest mean power of a quarter hour [kW]: the demand"),
        *_DAY,
    ),
    event_time="window_start",
)

ALERTS = Table(
    "alerts",
    "A row for each change of an alert: raised, escalated, eased, flapping, cleared or latched.",
    ("tenant", "alert_id", "change_number"),
    (
        _TENANT,
        _text("alert_id", "Hash of rule, entity and episode start: the same when it is computed again"),
        _whole("change_number", "Number of the change in its episode, from 0"),
        _text("rule_id", "Rule"),
        _text("rule_version", "Version of the rules document"),
        _text("title", "What the rule is about, in words"),
        _text("severity", "info, minor, major, critical or emergency"),
        _text("state", "raised, escalated, eased, flapping, cleared or latched"),
        _text("entity", "Meter, beginning of a site path, or tag=value"),
        _text("site_path", "factory/process/line/sensor"),
        _text("tags", "Tags of the meter, name=value joined by ;"),
        _text("signal", "What was compared"),
        _text("unit", "Unit of value and threshold"),
        Column("value", "DOUBLE", "double", "Value compared [unit]"),
        Column("threshold", "DOUBLE", "double", "Limit it was compared with [unit]"),
        _time("episode_start", "Interval start of the first breach; of a silence, the last arrival"),
        _time("event_time", "Interval start of the reading that made the change; of a silence, its time of arrival"),
        _exact("cost", "What the readings of the episode cost so far [currency]"),
        _text("currency", "ISO 4217 code, empty where there is no cost"),
        _flag("historical", "True for what was found in old readings: a record, never a page"),
        _flag("muted", "True in a mute window of the rule: no page"),
        _flag("latch", "True where a cleared alert waits to be acknowledged"),
        _text("inhibited_by", "Rules whose open alerts on the same entity, or one above it, make this one no page"),
        _text("hint", "What to do, from the rule"),
        _text("detail", "Why it ended, where not by readings"),
        _time("arrival", "When the stream received the record that made the change; of a KPI, its last record"),
    ),
    event_time="event_time",
)

REJECTED = Table(
    "rejected",
    "Records that cannot be read, and readings of a device that may not speak for the meter.",
    ("tenant", "shard", "record_position", "part"),
    (
        _TENANT,
        _text("reason", "Code"),
        _text("detail", "What is wrong, and what would be right"),
        _whole("part", "Number of this part of the payload, from 0"),
        _whole("parts", "Number of parts"),
        Column("payload", "BYTES", "string", "Original bytes, base64"),
        _DEVICE,
        _time("dated", "Beginning of the interval, or when the stream received what is no reading"),
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
        _time("rejected_at", f"When the job rejected it: {_NEWEST_OUTCOME}"),
    ),
    event_time="dated",
    written_at="rejected_at",
    outcome_where="reason <> 'not_a_contract'",
)

UNPRICED = Table(
    "unpriced",
    "Readings without a contract or tariff yet; they can be published again.",
    ("tenant", "shard", "record_position"),
    (
        _TENANT,
        _text("reason", "Code"),
        _text("detail", "What is missing"),
        _text("reading_id", "Hash of meter, interval, revision and quantities"),
        _text("meter_id", "Meter"),
        _time("interval_start", "Beginning of the interval"),
        _whole("interval_s", "Length of the interval [s]"),
        Column("payload", "BYTES", "string", "Original bytes, base64"),
        _DEVICE,
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
        _time("unpriced_at", f"When the job found no price for it: {_NEWEST_OUTCOME}"),
    ),
    event_time="interval_start",
    written_at="unpriced_at",
)

DUPLICATES = Table(
    "duplicates",
    "Records that changed nothing: repeats, and revisions older than one already seen.",
    ("tenant", "shard", "record_position"),
    (
        _TENANT,
        _text("reading_id", "Hash of meter, interval, revision and quantities"),
        _text("meter_id", "Meter"),
        _time("interval_start", "Beginning of the interval"),
        _whole("revision", "Revision of the record"),
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
        _time("deduplicated_at", f"When the job knew it as a repeat: {_NEWEST_OUTCOME}"),
    ),
    event_time="interval_start",
    written_at="deduplicated_at",
)

REGISTER_READS = Table(
    "register_reads",
    "A row for each read of a cumulative register, as it came: what `rerate` places energy from.",
    ("tenant", "reading_id"),
    (
        _TENANT,
        _text("reading_id", "Hash of meter, interval, revision and quantities"),
        _text("meter_id", "Meter"),
        _text("register_id", "Register of the meter, empty where it has one only"),
        _time("interval_start", "Beginning of the interval"),
        _whole("interval_s", "Length of the interval [s]"),
        _whole("revision", "0, or higher for a correction"),
        _exact("register_kwh", "What the dial showed, before the contract's multiplier [kWh]"),
        _exact("rollover_kwh", "Where the dial begins anew, NULL for one that never does [kWh]"),
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
    ),
    event_time="interval_start",
)

ADJUSTMENTS = Table(
    "adjustments",
    "Written by `rerate`: what the exact bill of a cycle adds to the costs that the stream gave its readings.",
    ("tenant", "meter_id", "cycle_start", "tariff_id", "tariff_version"),
    (
        _TENANT,
        _text("meter_id", "Meter"),
        _text("site_path", "factory/process/line/sensor"),
        _text("cycle_start", "First local day of the billing cycle, YYYY-MM-DD"),
        _text("cycle_end", "First local day after it, YYYY-MM-DD"),
        _text("tariff_id", "Tariff"),
        _text("tariff_version", "Its version"),
        _exact("energy_cost", "Adjustment of the energy charge [currency]"),
        _exact("demand_cost", "Adjustment of the demand charge [currency]"),
        _exact("fixed_cost", "Adjustment of the fixed charges [currency]"),
        _exact("export_credit", "Adjustment of the export credit [currency]"),
        _exact("other_cost", "Adjustment of the other charges: minimum, reactive energy [currency]"),
        _exact("tax", "Adjustment of the taxes [currency]"),
        _exact("cost", "Sum of the above [currency]"),
        _exact("streamed_cost", "Cost of the cycle in the stream [currency]"),
        _exact("exact_cost", "Cost of the cycle, exactly [currency]"),
        _text("currency", "ISO 4217 code"),
        _flag("is_open", "True where the cycle ends after the last reading"),
        _text("reason", "Why they differ"),
    ),
)

ALERT_ACTIONS = Table(
    "alert_actions",
    "What people did about alerts; written by the API of alerts.",
    ("tenant", "alert_id", "action", "who", "done_at"),
    (
        _TENANT,
        _text("alert_id", "Alert"),
        _text("action", "ack, assign, comment or snooze"),
        _text("who", "Name in the token of whoever did it"),
        _time("done_at", "When"),
        _text("site", "Factory"),
        _text("note", "What was said"),
        _text("subject", "Identity of whoever did it: `sub` of the user pool, which never changes"),
    ),
    event_time="done_at",
)

#: Tables that services beside the job write through Firehose.
SERVICE_TABLES: Mapping[str, Table] = {ALERT_ACTIONS.name: ALERT_ACTIONS}

#: Tables that batch commands write beside the outputs.
BATCH_TABLES: Mapping[str, Table] = {ADJUSTMENTS.name: ADJUSTMENTS}

OUTPUTS: Mapping[str, Table] = {
    t.name: t for t in (COSTS, KPIS, ALERTS, REJECTED, UNPRICED, DUPLICATES, REGISTER_READS)
}

#: A record of the stream ends in exactly one row of one of these.
ACCOUNTED = ("costs", "duplicates", "rejected", "unpriced")
#: A record that is read again after a crash may end in another of them than before. Rows of one record lie in one
#: partition of each.
OUTCOMES = ACCOUNTED
