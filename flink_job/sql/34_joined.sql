-- Every reading with its contract, NULL where there is none.
SELECT
  payload,
  shard,
  record_position,
  CAST(arrival AS TIMESTAMP(3)) AS arrival,
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
FROM known
WHERE contract IS NOT NULL
UNION ALL
SELECT
  payload,
  shard,
  record_position,
  CAST(arrival AS TIMESTAMP(3)) AS arrival,
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
  version AS contract
FROM awaited
