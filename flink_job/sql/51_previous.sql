-- ... and the highest before this record: none for the first of an interval, which nearly all are, and the first's for the
-- second, which is the lowest and the highest of both less its own. First ones are kept under one of some two thousand keys,
-- by meter, which are in memory; a key of its own for each would be looked for in every file of the state, and not found.
-- All stay on one road: on two, readings would pass each other.
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  bill_key,
  tou_period,
  demand_slot,
  demand_start_ms,
  demand_window_s,
  import_packed,
  export_packed,
  register_packed,
  register_energy_ukwh,
  register_interval_ukwh,
  is_overtaken,
  import_top,
  export_top,
  reactive_import_top,
  reactive_export_top,
  register_top,
  records_seen,
  CASE WHEN records_seen > 1 THEN COALESCE(LAG(import_top) OVER seen, NULLIF(import_first, -1)) END AS import_previous,
  CASE WHEN records_seen > 1 THEN COALESCE(LAG(export_top) OVER seen, NULLIF(export_first, -1)) END AS export_previous,
  CASE WHEN records_seen > 1 THEN COALESCE(LAG(reactive_import_top) OVER seen, NULLIF(reactive_import_first, -1)) END AS reactive_import_previous,
  CASE WHEN records_seen > 1 THEN COALESCE(LAG(reactive_export_top) OVER seen, NULLIF(reactive_export_first, -1)) END AS reactive_export_previous,
  CASE WHEN records_seen > 1 THEN COALESCE(LAG(register_top) OVER seen, NULLIF(register_first, -1)) END AS register_previous
FROM (
  SELECT
    *,
    import_bottom + COALESCE(import_top, -1) - COALESCE(import_packed, -1) AS import_first,
    export_bottom + COALESCE(export_top, -1) - COALESCE(export_packed, -1) AS export_first,
    reactive_import_bottom + COALESCE(reactive_import_top, -1) - COALESCE(reactive_import_packed, -1) AS reactive_import_first,
    reactive_export_bottom + COALESCE(reactive_export_top, -1) - COALESCE(reactive_export_packed, -1) AS reactive_export_first,
    register_bottom + COALESCE(register_top, -1) - COALESCE(register_packed, -1) AS register_first,
    CASE WHEN records_seen > 1 THEN meter_id ELSE '' END AS looked_up_meter,
    CASE WHEN records_seen > 1 THEN start_ms ELSE CAST(MOD(HASH_CODE(meter_id), 1024) AS BIGINT) END AS looked_up
  FROM revised
)
WINDOW seen AS (PARTITION BY looked_up_meter, looked_up ORDER BY processed_at)
