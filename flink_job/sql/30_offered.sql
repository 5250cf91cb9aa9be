-- Readings and contracts in one stream.
SELECT
  payload,
  shard,
  record_position,
  CAST(arrival AS TIMESTAMP_LTZ(3)) AS arrival,
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
  CAST(NULL AS STRING) AS document,
  PROCTIME() AS processed_at
FROM decoded
WHERE reason IS NULL
UNION ALL
SELECT
  CAST(NULL AS BYTES) AS payload,
  CAST(NULL AS STRING) AS shard,
  CAST(NULL AS STRING) AS record_position,
  CAST(NULL AS TIMESTAMP_LTZ(3)) AS arrival,
  CAST(NULL AS STRING) AS reading_id,
  meter_id,
  CAST(NULL AS BIGINT) AS start_ms,
  CAST(NULL AS INT) AS interval_s,
  CAST(NULL AS INT) AS revision,
  CAST(NULL AS STRING) AS quality,
  CAST(NULL AS STRING) AS device_id,
  CAST(NULL AS BIGINT) AS sequence_number,
  CAST(NULL AS BIGINT) AS import_packed,
  CAST(NULL AS BIGINT) AS export_packed,
  CAST(NULL AS BIGINT) AS reactive_import_packed,
  CAST(NULL AS BIGINT) AS reactive_export_packed,
  CAST(NULL AS BIGINT) AS register_packed,
  CAST(NULL AS STRING) AS register_id,
  CAST(NULL AS BIGINT) AS rollover_ukwh,
  CAST(NULL AS STRING) AS measurements,
  document,
  PROCTIME() AS processed_at
FROM contracts
WHERE meter_id IS NOT NULL
