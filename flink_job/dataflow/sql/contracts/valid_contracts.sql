-- Valid contracts by meter. The join keeps the latest of each meter without time-to-live: latest by version (the time of issue, or of
-- arrival), then by position in the stream, so a contract that is read or published again does not replace a newer one.
SELECT
  meter_id AS contract_meter_id,
  document AS contract,
  TO_TIMESTAMP_LTZ(c.checked.version_ms, 3) AS contract_version,
  record_position AS contract_position,
  CAST(arrival AS TIMESTAMP_LTZ(3)) AS contract_arrival
FROM contract_records AS c
WHERE c.checked.problem IS NULL AND meter_id IS NOT NULL
