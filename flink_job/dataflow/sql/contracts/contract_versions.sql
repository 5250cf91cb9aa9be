-- Valid contracts as versions: each is in force from its arrival until the next one of its meter.
SELECT meter_id AS version_meter_id, document AS version, CAST(arrival AS TIMESTAMP_LTZ(3)) AS version_arrival
FROM contract_records AS c
WHERE c.checked.problem IS NULL AND meter_id IS NOT NULL
