-- The table `measurements`: a row per reading and channel. Positions of records are in `costs`, or else here, as the reading of a
-- sensor is nowhere else; the first of its channels counts the reading.
SELECT
  CASE WHEN POSITION(CHR(31) IN meter_id) = 0 THEN 'default' ELSE SPLIT_INDEX(meter_id, CHR(31), 0) END AS tenant,
  reading_id,
  SUBSTRING(meter_id FROM POSITION(CHR(31) IN meter_id) + 1) AS meter_id,
  SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1) AS site_path,
  COALESCE(SPLIT_INDEX(supply, CHR(30), 2), 'main') AS role,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS interval_start,
  interval_s,
  channel,
  CAST(number AS DOUBLE) AS `value`,
  CASE WHEN channel LIKE 'register%' THEN 'kWh' ELSE (MAP[${UNITS}][channel]) END AS unit,
  raw_unit,
  revision,
  quality,
  device_id,
  NULLIF(sequence_number, -1) AS sequence_number,
  CASE WHEN is_sensor AND channel = MAP_KEYS(channels)[1] THEN TRUE END AS is_counted,
  CASE WHEN is_sensor THEN shard END AS shard,
  CASE WHEN is_sensor THEN record_position END AS record_position,
  arrival,
  CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3)) AS stored_at
FROM channels AS c
CROSS JOIN UNNEST(c.channels) AS m (channel, number)
