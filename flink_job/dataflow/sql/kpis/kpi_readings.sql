-- The columns of costed readings that KPIs need. A reading that fills its 15-minute window needs no aggregation.
SELECT
  reading_id,
  meter_id,
  start_ms,
  interval_s,
  site_path,
  day_start_ms,
  day_s,
  is_first,
  import_ukwh,
  export_ukwh,
  reactive_import_uvarh,
  total_ucost,
  currency,
  arrival,
  event_time,
  interval_s >= 900 AND MOD(start_ms, ${QUARTER_HOUR_MS}) = 0 AS fills_window
FROM costed
