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
WHERE NOT is_repeat
