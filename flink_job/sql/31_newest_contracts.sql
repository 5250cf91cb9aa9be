-- Valid contracts by meter; the newest is kept for ever, and put on each reading.
SELECT meter_id AS contract_meter_id, document AS contract
FROM contracts
WHERE problem IS NULL AND meter_id IS NOT NULL
