"""Output tables of the job: columns, types, units and keys. DDL, Glue tables, docs and tests are derived from them."""

from __future__ import annotations

from collections.abc import Mapping

from flink_job.columns import Table, decimal, double, flag, integer, long, payload, text, timestamp

#: Partition column of every delivered table: the UTC date of its `event_time`.
EVENT_DATE = text("event_date", "UTC date of the row's event time, YYYY-MM-DD: the partition")

_TENANT = text("tenant", "Customer who owns the row; `default` if none is given")
_DEVICE = text("device", "IoT thing that sent the record; NULL if it was not sent by a thing")
_SHARD = text("shard", "Kinesis shard, or input file of a bounded run")
_RECORD_POSITION = text(
    "record_position",
    "Kinesis sequence number, or line number of the file. The n-th reading of a record with several readings has the "
    "suffix `.n` from the second on. Identifies one reading together with `shard`",
)
_ARRIVAL = timestamp("arrival", "Time at which the stream received the record")
#: After a crash a record may be read again, with another outcome than the first time.
_NEWEST_OUTCOME = "the newest outcome of a record is valid"
_READING_ID = text("reading_id", "Hash of meter, interval, revision and quantities")
_METER = text("meter_id", "Meter")
_INTERVAL_START = timestamp("interval_start", "Start of the interval")
_INTERVAL_S = integer("interval_s", "Length of the interval [s]")
_REVISION = integer("revision", "0 for the first version of a reading, higher for a correction")
_SITE_PATH = text("site_path", "factory/process/line/sensor")
_SUPPLY = (
    text("supply_point", "Supply point of the meter: the meter itself unless its contract names one"),
    text("role", "Role of the meter in it: main, sub, part or sensor"),
)
_REASON = text("reason", "Reason code, see docs/reference/tables.md#reason-codes")
_CURRENCY = text("currency", "ISO 4217 code")
_CYCLE_START = text("cycle_start", "First local day of the billing cycle, YYYY-MM-DD")
_TARIFF = (text("tariff_id", "Tariff"), text("tariff_version", "Tariff version"))
_DAY = (
    timestamp("day_start", "Start of the site's local day"),
    integer("day_s", "Length of that day [s]; 23 to 25 h"),
)

COSTS = Table(
    "costs",
    "One row per reading: what it adds to the bill of its supply point. The sum over a billing cycle is the bill.",
    ("tenant", "reading_id"),
    (
        _TENANT,
        _READING_ID,
        _METER,
        _INTERVAL_START,
        _INTERVAL_S,
        _REVISION,
        text(
            "quality",
            "actual, estimated or edited, as sent; of a register read also estimated (energy of a silence) or "
            "implausible (a step beyond the highest power of the meter, without energy)",
        ),
        text("device_id", "Device that sent the record"),
        long("sequence_number", "Message counter of the device, for gap detection"),
        _SITE_PATH,
        *_SUPPLY,
        text("upstream", "Meter that also measures a submeter; NULL if there is none"),
        text("upstream_path", "Site path of that meter; NULL if there is none"),
        decimal("energy_kwh", "Imported energy added by the record [kWh]; a correction adds new minus old"),
        decimal("export_kwh", "Exported energy added by the record [kWh]"),
        decimal("reactive_kvarh", "Imported reactive energy added by the record [kvarh]"),
        decimal("reactive_export_kvarh", "Exported reactive energy added by the record [kvarh]"),
        *_TARIFF,
        text("tou_period", "TOU period of the interval"),
        _CYCLE_START,
        decimal("energy_cost", "Energy charge [currency]"),
        decimal("demand_cost", "Increase of the demand charge by the record [currency]"),
        decimal("fixed_cost", "Fixed charges accrued over the interval [currency]"),
        decimal("export_credit", "Credit for exported energy, negative [currency]"),
        decimal("other_cost", "Other charges [currency]"),
        decimal("tax", "Taxes [currency]"),
        decimal("cost", "Sum of the above [currency]"),
        _CURRENCY,
        flag("provisional", "True if settlement (`settle`) may adjust the cost"),
        flag(
            "demand_estimated",
            "True if the reading is divided by time between demand intervals or TOU periods that it is in; else NULL",
        ),
        flag("is_first", "True for the first record of its interval"),
        *_DAY,
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
        timestamp("costed_at", f"Time at which the job costed the reading: the newest copy and {_NEWEST_OUTCOME}"),
    ),
    event_time="interval_start",
    written_at="costed_at",
)

KPIS = Table(
    "kpis",
    "Totals of windows, emitted `on_time` as windows close, and `corrected` after later readings: of the rows of a "
    "`kpi_id` the newest counts. The views `kpis_*` follow settlement, too.",
    ("tenant", "kpi_id"),
    (
        _TENANT,
        text("kpi_id", "Key of the window: a later row of it replaces the earlier ones"),
        text("level", "meter, line, process or factory"),
        text("entity", "Meter id, or the prefix of the site path that names the level"),
        text("site_path", "Site path of the entity"),
        timestamp("window_start", "Start of the window; a day is the site's local day"),
        timestamp("window_end", "End of the window"),
        integer("window_s", "Length of the window [s]: 900, 3600 or 86400"),
        text(
            "emission", "on_time (when the watermark passed the end of the window) or corrected (after later readings)"
        ),
        long("readings", "Intervals with a reading"),
        long("expected_readings", "Intervals expected, also of meters that have a contract and have sent nothing"),
        integer("interval_s", "Shortest interval among the readings [s]; 0 without a reading"),
        decimal("energy_kwh", "Imported energy [kWh]"),
        decimal("export_kwh", "Exported energy [kWh]"),
        decimal("reactive_kvarh", "Imported reactive energy [kvarh]"),
        decimal("cost", "Cost [currency]; NULL without a currency"),
        text("currency", "ISO 4217 code; NULL in windows of readings that have no price yet: they move once priced"),
        decimal("min_kw", "Lowest mean power of a quarter hour [kW]"),
        decimal("max_kw", "Highest mean power of a quarter hour [kW]: the demand"),
        *_DAY,
        timestamp("emitted_at", "When the row was emitted"),
        text("upstream_path", "Of a meter: site path of the meter that also measures it; NULL if there is none"),
    ),
    event_time="window_start",
    written_at="emitted_at",
)

ALERTS = Table(
    "alerts",
    "Changes of alerts, one row per change: raised, escalated, eased, flapping, cleared or latched.",
    ("tenant", "alert_id", "change_number"),
    (
        _TENANT,
        text(
            "alert_id", "Hash of rule, entity, episode start and, above the meter, currency; a replay computes the same"
        ),
        integer("change_number", "Number of the change in its episode, from 0"),
        text("rule_id", "Id of the rule"),
        text("rule_version", "Version of the rules document"),
        text("title", "Title of the rule"),
        text("severity", "info, minor, major, critical or emergency"),
        text("state", "raised, escalated, eased, flapping, cleared or latched"),
        text("entity", "Meter, supply point, prefix of a site path, or tag=value"),
        text("site_path", "factory/process/line/sensor"),
        text("tags", "Tags of the meter, name=value joined by ;"),
        text("signal", "Signal that was compared; no_data for a no-data rule"),
        text("unit", "Unit of value and threshold"),
        double("value", "Value of the signal [unit]"),
        double("threshold", "Limit that the value was compared with [unit]"),
        timestamp("episode_start", "Interval start of the first breach; for a no-data rule, the last arrival"),
        timestamp(
            "event_time",
            "Interval start of the reading that caused the change; for a no-data rule, its time",
        ),
        decimal("cost", "Cost of the readings of the episode so far [currency]"),
        text("currency", "ISO 4217 code, empty if there is no cost"),
        flag("historical", "True if found in old readings: nobody is notified"),
        flag("muted", "True in a mute window of the rule: nobody is notified"),
        flag("latch", "True if the rule latches: a cleared alert stays open until it is acknowledged"),
        text(
            "inhibited_by",
            "Rules whose open alerts on this entity or a higher level suppress notifications, comma-separated",
        ),
        text("hint", "Hint of the rule: what to do"),
        text("detail", "Reason of the end if readings did not end it"),
        timestamp("arrival", "Time of arrival of the record that caused the change; of a KPI, of its last record"),
    ),
    event_time="event_time",
)

REJECTED = Table(
    "rejected",
    "Dead-letter table: records that cannot be read, and readings of a device that is not authorized for the meter.",
    ("tenant", "shard", "record_position", "part"),
    (
        _TENANT,
        _REASON,
        text("detail", "Error message: the fault and the expected value"),
        integer("part", "Number of this part of the payload, from 0; large payloads are split"),
        integer("parts", "Number of parts of the payload"),
        payload(),
        _DEVICE,
        timestamp("dated", "Start of the interval; time of arrival if the record is not a reading"),
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
        timestamp("rejected_at", f"Time at which the job rejected the record: {_NEWEST_OUTCOME}"),
    ),
    event_time="dated",
    written_at="rejected_at",
    outcome_where="reason <> 'not_a_contract'",
    counted_where="part = 0 AND reason <> 'not_a_contract'",
)

UNPRICED = Table(
    "unpriced",
    "Readings that wait for a contract or tariff; `redrive` publishes them again. Once priced they are no longer here.",
    ("tenant", "shard", "record_position"),
    (
        _TENANT,
        _REASON,
        text("detail", "The missing contract, tariff or calendar"),
        _READING_ID,
        _METER,
        _INTERVAL_START,
        _INTERVAL_S,
        text("supply_point", "Supply point that the contract names; NULL without one"),
        text("role", "Role of the meter in it"),
        payload(),
        _DEVICE,
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
        timestamp("unpriced_at", f"Time at which the job found no price: {_NEWEST_OUTCOME}"),
    ),
    event_time="interval_start",
    written_at="unpriced_at",
    ended_by=("costs", "duplicates", "measurements"),
)

DUPLICATES = Table(
    "duplicates",
    "Records without effect: duplicates, and revisions older than one already processed.",
    ("tenant", "shard", "record_position"),
    (
        _TENANT,
        _READING_ID,
        _METER,
        _INTERVAL_START,
        _REVISION,
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
        timestamp("deduplicated_at", f"Time at which the job identified the duplicate: {_NEWEST_OUTCOME}"),
    ),
    event_time="interval_start",
    written_at="deduplicated_at",
)

REGISTER_READS = Table(
    "register_reads",
    "One row per read of a cumulative register, as received. Settlement (`settle`) derives interval energy from it.",
    ("tenant", "reading_id"),
    (
        _TENANT,
        _READING_ID,
        _METER,
        text("register_id", "Register of the meter; empty if it has only one"),
        _INTERVAL_START,
        _INTERVAL_S,
        _REVISION,
        decimal("register_kwh", "Register value, before the contract's multiplier [kWh]"),
        decimal("rollover_kwh", "Value at which the register rolls over to zero [kWh]; NULL if it never does"),
        _SHARD,
        _RECORD_POSITION,
        _ARRIVAL,
    ),
    event_time="interval_start",
)

MEASUREMENTS = Table(
    "measurements",
    "One row per reading and channel: channels that are not billed, and every channel of a sensor. The outcome of the "
    "readings of sensors. View `current_measurements` has the valid value of each interval.",
    ("tenant", "reading_id", "revision", "channel", "shard", "record_position"),
    (
        _TENANT,
        _READING_ID,
        _METER,
        _SITE_PATH,
        text("role", "Role of the meter in its supply point: main, sub, part or sensor"),
        _INTERVAL_START,
        _INTERVAL_S,
        text(
            "channel",
            "temperature, vibration, ...; of a sensor also import, export, reactive_import, reactive_export and "
            "register, or register:<register_id>",
        ),
        double("value", "Value as measured [unit]; energy and registers times the contract's multiplier"),
        text("unit", "Unit of value: always the same for a channel"),
        text("raw_unit", "Unit in the record if it is another one; NULL else"),
        _REVISION,
        text("quality", "actual, estimated or edited, as sent"),
        text("device_id", "Device that sent the record"),
        long("sequence_number", "Message counter of the device"),
        flag("is_counted", "True in one row of each reading of a sensor, by which readings are counted; else NULL"),
        text("shard", "Kinesis shard, or input file of a bounded run; NULL unless role is sensor: see `costs`"),
        text("record_position", "Position of the record in it; NULL unless role is sensor: see `costs`"),
        _ARRIVAL,
        timestamp("stored_at", f"Time at which the job stored the value: the newest copy and {_NEWEST_OUTCOME}"),
    ),
    event_time="interval_start",
    written_at="stored_at",
    outcome_where="role = 'sensor'",
    counted_where="is_counted",
)

CONTRACT_CHANGES = Table(
    "contract_changes",
    "A row for each span of time for which a contract replaced other terms than it has, after the time had begun: "
    "costs of the span that were priced before are settled by `settle --changed`. View `bills` marks them until then.",
    ("tenant", "meter_id", "changed_from", "changed_at"),
    (
        _TENANT,
        _METER,
        _SITE_PATH,
        timestamp("changed_from", "Start of the span; 1970 if it has none"),
        timestamp("changed_until", "End of the span; the year 9999 if it has none"),
        text(
            "fields",
            "What differs, comma-separated: tariff_id, contracted_kw, timezone, billing_day, cycle_starts, multiplier, "
            "max_power_kw, site_path, supply_point (or the place in it)",
        ),
        timestamp("issued_at", "Version of the contract: when it was issued, or arrived"),
        timestamp("changed_at", "Time at which the job read the contract"),
    ),
    event_time="changed_at",
)

ADJUSTMENTS = Table(
    "adjustments",
    "Written by `settle` (settlement), by quarter hour: the exact energy and cost minus those of `costs`. Costs plus "
    "adjustments are the exact costs of the readings in order of time, except for the last digit, whose place depends "
    "on the order of arrival, and add up to the exact bill.",
    ("tenant", "meter_id", "site_path", "window_start", "day_start", "cycle_start", "tariff_id", "tariff_version"),
    (
        _TENANT,
        _METER,
        _SITE_PATH,
        *_SUPPLY,
        text("upstream_path", "Site path of the meter that also measures a submeter; NULL if there is none"),
        timestamp("window_start", "Start of the quarter hour"),
        text("event_date", "UTC date of the quarter hour, YYYY-MM-DD"),
        *_DAY,
        _CYCLE_START,
        text("cycle_end", "First local day after the billing cycle, YYYY-MM-DD"),
        *_TARIFF,
        integer("interval_s", "Longest interval among the readings [s]"),
        integer(
            "readings", "Intervals with a reading that `costs` has not under this tariff; negative: only `costs` has"
        ),
        decimal("energy_kwh", "Adjustment of the imported energy [kWh]"),
        decimal("export_kwh", "Adjustment of the exported energy [kWh]"),
        decimal("reactive_kvarh", "Adjustment of the imported reactive energy [kvarh]"),
        decimal(
            "quarter_kwh",
            "Adjustment of the imported energy with readings divided by time, of which the power is computed [kWh]",
        ),
        decimal("energy_cost", "Adjustment of the energy charge [currency]"),
        decimal("demand_cost", "Adjustment of the demand charge [currency]"),
        decimal("fixed_cost", "Adjustment of the fixed charges [currency]"),
        decimal("export_credit", "Adjustment of the export credit [currency]"),
        decimal("other_cost", "Adjustment of the other charges: minimum, reactive energy [currency]"),
        decimal("tax", "Adjustment of the taxes [currency]"),
        decimal("cost", "Sum of the above [currency]"),
        decimal("streamed_cost", "Cost of the quarter hour in the stream [currency]"),
        decimal("exact_cost", "Exact cost of the quarter hour [currency]"),
        _CURRENCY,
        flag("is_open", "True if the cycle ends after the last reading"),
        text("reason", "Why the exact cost of the cycle differs from the streamed cost"),
    ),
)

SHARES = Table(
    "shares",
    "Written by `settle`: the parts of meters in the settled bills of supply points with several meters, by interval "
    "and charge. They add up to the bill to the last digit; `<supply_point>:rest` is what no submeter measured. View "
    " `shared_costs` has them with those of open cycles.",
    ("tenant", "supply_point", "meter_id", "interval_start", "cycle_start", "tariff_id", "tariff_version"),
    (
        _TENANT,
        text("supply_point", "Supply point"),
        text("meter_id", "Meter, or `<supply_point>:rest`"),
        _SITE_PATH,
        _INTERVAL_START,
        _INTERVAL_S,
        text("event_date", "UTC date of the interval, YYYY-MM-DD"),
        text("local_date", "Local date of the interval, YYYY-MM-DD"),
        _CYCLE_START,
        text("cycle_end", "First local day after the billing cycle, YYYY-MM-DD"),
        *_TARIFF,
        decimal("energy_kwh", "Imported energy of the meter, less that of the meters behind it [kWh]"),
        decimal("energy_cost", "Share of the energy charge [currency]"),
        decimal("demand_cost", "Share of the demand charge [currency]"),
        decimal("fixed_cost", "Share of the fixed charges [currency]"),
        decimal("reactive_cost", "Share of the charge for reactive energy [currency]"),
        decimal("export_credit", "Share of the export credit, negative [currency]"),
        decimal("minimum_cost", "Share of the minimum bill [currency]"),
        decimal("tax", "Share of the taxes [currency]"),
        decimal("cost", "Sum of the above [currency]"),
        _CURRENCY,
        flag("is_open", "True if the cycle ends after the last reading"),
        flag("sum_check", "True if meters behind it measured more than the meter itself: the energy is negative"),
    ),
)

SETTLEMENTS = Table(
    "settlements",
    "Written by `settle`: each settlement of a billing cycle that changed its exact bill, or that settled a changed "
    "contract, with the reason. The newest of a cycle is valid.",
    ("tenant", "supply_point", "cycle_start", "tariff_id", "tariff_version", "settled_at"),
    (
        _TENANT,
        text("supply_point", "Supply point"),
        _CYCLE_START,
        text("cycle_end", "First local day after the billing cycle, YYYY-MM-DD"),
        *_TARIFF,
        decimal("streamed_cost", "Cost of the cycle in the stream at that time [currency]"),
        decimal("exact_cost", "The exact bill [currency]"),
        decimal("adjustment", "exact_cost minus streamed_cost [currency]"),
        decimal("previous_cost", "The exact bill of the settlement before; NULL for the first [currency]"),
        _CURRENCY,
        long("records", "Rows of `costs` of the cycle at that time: later ones have not been settled"),
        flag("is_open", "True if the cycle ended after the last reading"),
        text("reason", "Why the exact cost differs from the streamed cost"),
        timestamp("settled_at", "Time of the settlement"),
        timestamp("issued_at", "Newest version of the contracts by which it settled; NULL if one of them names none"),
    ),
)

ALERT_ACTIONS = Table(
    "alert_actions",
    "Actions of people on alerts; written by the alerts API.",
    ("tenant", "alert_id", "action", "who", "done_at"),
    (
        _TENANT,
        text("alert_id", "Id of the alert"),
        text("action", "ack, assign, comment, snooze or close"),
        text("who", "Name of the person, from the token"),
        timestamp("done_at", "Time of the action"),
        text("site", "Factory"),
        text("note", "Comment of the person"),
        text("subject", "Id of the person: `sub` of the user pool, which never changes"),
    ),
    event_time="done_at",
)

#: Tables that other services than the job write through Firehose.
SERVICE_TABLES: Mapping[str, Table] = {ALERT_ACTIONS.name: ALERT_ACTIONS}

#: Tables that batch commands add to the outputs.
BATCH_TABLES: Mapping[str, Table] = {t.name: t for t in (ADJUSTMENTS, SHARES, SETTLEMENTS)}

OUTPUTS: Mapping[str, Table] = {
    t.name: t
    for t in (COSTS, KPIS, ALERTS, REJECTED, UNPRICED, DUPLICATES, MEASUREMENTS, REGISTER_READS, CONTRACT_CHANGES)
}

#: Every reading of the stream is exactly one row, of those that `counted_where` selects, of one of these tables.
ACCOUNTED = ("costs", "duplicates", "measurements", "rejected", "unpriced")
#: A record that is read again after a crash may have another outcome than before. The rows of a record have the same
#: partition in all of these tables.
OUTCOMES = ACCOUNTED
