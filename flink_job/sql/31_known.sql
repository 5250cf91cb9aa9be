-- Each reading with the newest contract of its meter. A contract is kept for ever; LAST_VALUE passes over NULL.
SELECT
  payload,
  shard,
  record_position,
  arrival,
  reading_id,
  meter_id,
  start_ms,
  interval_s,
  revision,
  quality,
  device_id,
  sequence_number,
  import_packed,
  export_packed,
  reactive_import_packed,
  reactive_export_packed,
  register_packed,
  register_id,
  rollover_ukwh,
  measurements,
  contract
FROM (
  SELECT
    payload,
    shard,
    record_position,
    arrival,
    reading_id,
    meter_id,
    start_ms,
    interval_s,
    revision,
    quality,
    device_id,
    sequence_number,
    import_packed,
    export_packed,
    reactive_import_packed,
    reactive_export_packed,
    register_packed,
    register_id,
    rollover_ukwh,
    measurements,
    LAST_VALUE(document) OVER (
      PARTITION BY meter_id
      ORDER BY processed_at
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS contract
  FROM offered
)
WHERE reading_id IS NOT NULL
