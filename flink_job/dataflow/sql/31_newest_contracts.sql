-- Valid contracts by meter. The newest by time of arrival, and then by position in the stream, is kept for ever and joined to
-- each reading: a contract that is read again does not replace a newer one.
SELECT
  meter_id AS contract_meter_id,
  document AS contract,
  CAST(arrival AS TIMESTAMP_LTZ(3)) AS contract_arrival,
  record_position AS contract_position
FROM contracts
WHERE problem IS NULL AND meter_id IS NOT NULL
