-- Valid contracts by meter. The join keeps the latest of each meter without time-to-live: latest by arrival, then by position
-- in the stream, so a contract that is read again does not replace a newer one.
SELECT
  meter_id AS contract_meter_id,
  document AS contract,
  CAST(arrival AS TIMESTAMP_LTZ(3)) AS contract_arrival,
  record_position AS contract_position
FROM contract_records
WHERE problem IS NULL AND meter_id IS NOT NULL
