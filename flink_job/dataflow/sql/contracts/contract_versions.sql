-- Contracts as versions: each is in force from its arrival until the next one of its meter.
SELECT contract_meter_id AS version_meter_id, contract AS version, contract_arrival AS version_arrival
FROM valid_contracts
