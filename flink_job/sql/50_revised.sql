-- The highest revision seen so far of each quantity of an interval, and the lowest. Revision and quantity are packed into
-- one integer, so the highest revision is a running maximum; a quantity that a record does not carry is NULL (-1 among the
-- lowest) and changes nothing.
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
  reactive_import_packed,
  reactive_export_packed,
  register_packed,
  register_energy_ukwh,
  register_interval_ukwh,
  is_overtaken,
  MAX(import_packed) OVER seen AS import_top,
  MAX(export_packed) OVER seen AS export_top,
  MAX(reactive_import_packed) OVER seen AS reactive_import_top,
  MAX(reactive_export_packed) OVER seen AS reactive_export_top,
  MAX(register_packed) OVER seen AS register_top,
  MIN(COALESCE(import_packed, -1)) OVER seen AS import_bottom,
  MIN(COALESCE(export_packed, -1)) OVER seen AS export_bottom,
  MIN(COALESCE(reactive_import_packed, -1)) OVER seen AS reactive_import_bottom,
  MIN(COALESCE(reactive_export_packed, -1)) OVER seen AS reactive_export_bottom,
  MIN(COALESCE(register_packed, -1)) OVER seen AS register_bottom,
  COUNT(*) OVER seen AS records_seen,
  processed_at
FROM measured
WINDOW seen AS (
  PARTITION BY meter_id, start_ms
  ORDER BY processed_at
  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
