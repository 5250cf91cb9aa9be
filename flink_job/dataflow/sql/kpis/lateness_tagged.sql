-- Tags each costed reading late when its 15-minute window has already been emitted. The watermark here is never behind the window
-- operator's, so a reading that is not late meets an open window. A reading that fills its window needs no aggregation.
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
  COALESCE(
    TO_TIMESTAMP_LTZ((start_ms / ${QUARTER_HOUR_MS} + 1) * ${QUARTER_HOUR_MS} - 1, 3) <= CURRENT_WATERMARK(event_time), FALSE
  ) AS is_late,
  interval_s >= 900 AND MOD(start_ms, ${QUARTER_HOUR_MS}) = 0 AS fills_window
FROM costed
