-- Energy of the demand interval that a reading lies in, so far. A reading as long as that has it by itself; one longer
-- counts with its mean power: nothing finer is known.
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, demand_slot, demand_window_s,
  import_total_ukwh, export_total_ukwh, processed_at, is_first, import_ukwh, export_ukwh, reactive_import_uvarh,
  reactive_export_uvarh, FALSE AS is_overtaken,
  COALESCE(interval_ukwh * demand_window_s / interval_s, 0) AS demand_ukwh
FROM deltas
WHERE register_ukwh IS NULL AND NOT is_repeat AND interval_s >= demand_window_s
UNION ALL
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, demand_slot, demand_window_s,
  import_total_ukwh, export_total_ukwh, processed_at, is_first, import_ukwh, export_ukwh, reactive_import_uvarh,
  reactive_export_uvarh, is_overtaken,
  GREATEST(SUM(
    CASE
      WHEN interval_s > demand_window_s THEN import_ukwh * demand_window_s / interval_s
      ELSE import_ukwh
    END
  ) OVER (
    PARTITION BY meter_id, demand_start_ms
    ORDER BY processed_at
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ), 0) AS demand_ukwh
FROM metered
