-- Valid contracts by meter, and terms of supply points, without a meter. Each is in force by version (the time of issue, or of arrival),
-- then by position in the stream, so one that is read or published again does not replace a newer one. The last three columns say which
-- other records belong to it (see flink_job/metering/groups.py).
SELECT
  CASE WHEN c.checked.record_name LIKE 'm:%' THEN meter_id END AS contract_meter_id,
  document AS contract,
  TO_TIMESTAMP_LTZ(c.checked.version_ms, 3) AS contract_version,
  record_position AS contract_position,
  CAST(arrival AS TIMESTAMP_LTZ(3)) AS contract_arrival,
  tenant AS record_tenant,
  c.checked.record_name AS record_name,
  c.checked.listens AS listens,
  c.checked.provides AS provides
FROM contract_records AS c
WHERE c.checked.problem IS NULL AND (meter_id IS NOT NULL OR c.checked.record_name LIKE 's:%')
