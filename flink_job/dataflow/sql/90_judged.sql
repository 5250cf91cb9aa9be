-- What KPIs need of a costed reading, and whether it is late: whether its 15-minute window has been emitted. The
-- watermark seen here is never behind the window operator's, so a reading that is not late meets an open window. One that
-- begins a window and is as long needs none: it is its meter's quarter hour.
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
    TO_TIMESTAMP_LTZ((start_ms / 900000 + 1) * 900000 - 1, 3) <= CURRENT_WATERMARK(event_time), FALSE
  ) AS is_late,
  interval_s >= 900 AND MOD(start_ms, 900000) = 0 AS fills_window
FROM costed
