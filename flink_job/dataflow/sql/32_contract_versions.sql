-- Valid contracts as versions: each holds from its arrival on, until the next of its meter.
SELECT meter_id AS version_meter_id, document AS version, CAST(arrival AS TIMESTAMP_LTZ(3)) AS version_arrival
FROM contracts
WHERE problem IS NULL AND meter_id IS NOT NULL
