-- What are readings. The meter comes first: it is by that that a reading meets its contract.
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
FROM decoded
WHERE reason IS NULL
