-- Records that change something, with the account whose bill it is (flink_job/tariffs/supply_places.py), the updates of the bill
-- (flink_job/tariffs/plan.py) and the quantities that these apply.
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  CASE WHEN d.carried.supply IS NULL THEN meter_id ELSE SPLIT_INDEX(d.carried.supply, CHR(30), 0) END AS account,
  bill_key,
  tou_period,
  updates,
  is_first,
  CASE WHEN is_first THEN 1 ELSE 0 END AS readings,
  is_overtaken,
  import_ukwh,
  export_ukwh,
  reactive_import_uvarh,
  reactive_export_uvarh,
  import_after_ukwh,
  export_after_ukwh,
  reactive_import_after_uvarh,
  reactive_export_after_uvarh,
  CASE WHEN is_first THEN CAST(interval_s AS BIGINT) * 1000 ELSE CAST(0 AS BIGINT) END AS time_ms,
  register_demand_ukwh,
  register_condition,
  import_total_ukwh,
  export_total_ukwh
FROM deltas AS d
WHERE NOT is_repeat AND is_priced = 1
UNION ALL
-- What records change in KPIs without a currency: no bill, so no updates. Here, before the shuffle, the union costs nothing.
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  meter_id AS account,
  '' AS bill_key,
  0 AS tou_period,
  x'00' AS updates,
  FALSE AS is_first,
  waiting_readings AS readings,
  FALSE AS is_overtaken,
  waiting_import_ukwh AS import_ukwh,
  waiting_export_ukwh AS export_ukwh,
  waiting_reactive_import_uvarh AS reactive_import_uvarh,
  CAST(0 AS BIGINT) AS reactive_export_uvarh,
  CAST(0 AS BIGINT) AS import_after_ukwh,
  CAST(0 AS BIGINT) AS export_after_ukwh,
  CAST(0 AS BIGINT) AS reactive_import_after_uvarh,
  CAST(0 AS BIGINT) AS reactive_export_after_uvarh,
  CAST(0 AS BIGINT) AS time_ms,
  CAST(0 AS BIGINT) AS register_demand_ukwh,
  0 AS register_condition,
  CAST(-1 AS BIGINT) AS import_total_ukwh,
  CAST(-1 AS BIGINT) AS export_total_ukwh
FROM deltas AS w
WHERE
  waiting_seen > 0
  AND (waiting_readings <> 0 OR waiting_import_ukwh <> 0 OR waiting_export_ukwh <> 0 OR waiting_reactive_import_uvarh <> 0)
