-- Readings that came without a contract look again, among the contracts that had arrived before them: what waits until those
-- have been read, as after a cold start, buffers rows, so only those that need it pass through.
SELECT
  meter_id,
  payload,
  shard,
  record_position,
  CAST(arrival AS TIMESTAMP_LTZ(3)) AS arrival,
  reading_id,
  start_ms,
  interval_s,
  revision,
  quality,
  device_id,
  device,
  sequence_number,
  import_packed,
  export_packed,
  reactive_import_packed,
  reactive_export_packed,
  register_packed,
  register_id,
  rollover_ukwh,
  measurements
FROM known
WHERE contract IS NULL
