-- Interval and register readings together: the energy that each adds to its meter, and the interval's own
-- (interval_ukwh, which a register does not tell). What alerts see as the energy of the
-- interval (import_total_ukwh, -1 for none) a register tells only where the read before is one interval old.
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, demand_slot, demand_start_ms, demand_window_s,
  import_total_ukwh, export_total_ukwh, processed_at, is_first, import_ukwh, export_ukwh, reactive_import_uvarh,
  reactive_export_uvarh, FALSE AS is_overtaken, COALESCE(interval_ukwh, 0) AS interval_ukwh
FROM deltas
WHERE register_ukwh IS NULL AND NOT is_repeat
UNION ALL
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, demand_slot, demand_start_ms, demand_window_s,
  CASE
    WHEN NOT is_overtaken AND start_ms - register_before_ms = interval_s * 1000 THEN register_energy_ukwh
    ELSE -1
  END AS import_total_ukwh,
  export_total_ukwh, processed_at, is_first, import_ukwh + register_energy_ukwh AS import_ukwh, export_ukwh,
  reactive_import_uvarh, reactive_export_uvarh, is_overtaken, CAST(NULL AS BIGINT) AS interval_ukwh
FROM register_energy
