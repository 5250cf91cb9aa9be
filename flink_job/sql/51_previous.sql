-- ... and the highest before this record: none for the first of an interval, which nearly all are. Only further ones are
-- looked up; before the second there was the first.
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  register_id,
  rollover_ukwh,
  bill_key,
  tou_period,
  demand_slot,
  demand_start_ms,
  demand_window_s,
  import_packed,
  export_packed,
  register_packed,
  import_top,
  export_top,
  reactive_import_top,
  reactive_export_top,
  register_top,
  records_seen,
  CAST(NULL AS BIGINT) AS import_previous,
  CAST(NULL AS BIGINT) AS export_previous,
  CAST(NULL AS BIGINT) AS reactive_import_previous,
  CAST(NULL AS BIGINT) AS reactive_export_previous,
  CAST(NULL AS BIGINT) AS register_previous
FROM revised
WHERE records_seen = 1
UNION ALL
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  register_id,
  rollover_ukwh,
  bill_key,
  tou_period,
  demand_slot,
  demand_start_ms,
  demand_window_s,
  import_packed,
  export_packed,
  register_packed,
  import_top,
  export_top,
  reactive_import_top,
  reactive_export_top,
  register_top,
  records_seen,
  COALESCE(LAG(import_top) OVER seen, NULLIF(import_first, -1)) AS import_previous,
  COALESCE(LAG(export_top) OVER seen, NULLIF(export_first, -1)) AS export_previous,
  COALESCE(LAG(reactive_import_top) OVER seen, NULLIF(reactive_import_first, -1)) AS reactive_import_previous,
  COALESCE(LAG(reactive_export_top) OVER seen, NULLIF(reactive_export_first, -1)) AS reactive_export_previous,
  COALESCE(LAG(register_top) OVER seen, NULLIF(register_first, -1)) AS register_previous
FROM (SELECT * FROM revised WHERE records_seen > 1)
WINDOW seen AS (PARTITION BY meter_id, start_ms ORDER BY processed_at)
