-- Valid readings. `meter_id` is first because the joins use the first column as key.
SELECT
  decoded.reading.meter_id AS meter_id,
  payload,
  device,
  shard,
  record_position,
  CAST(arrival AS TIMESTAMP_LTZ(3)) AS arrival,
  reading
FROM decoded
WHERE decoded.reading.reason IS NULL
