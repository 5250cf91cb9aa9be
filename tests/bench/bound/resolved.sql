-- Readings with their contract, as of arrival, in the plain way.
SELECT
  r.meter_id,
  UNIX_TIMESTAMP(REPLACE(REPLACE(r.interval_start, 'T', ' '), 'Z', '')) * 1000 AS start_ms,
  r.interval_s,
  r.revision,
  r.device_id,
  r.`sequence` AS sequence_number,
  CAST(r.arrival AS TIMESTAMP(3)) AS arrival,
  r.shard,
  r.record_position,
  c.site_path,
  CAST(r.energy_kwh * 1000000 AS BIGINT) AS import_ukwh
FROM source_readings AS r
LEFT JOIN newest_contracts FOR SYSTEM_TIME AS OF r.arrival AS c ON r.meter_id = c.meter_id
