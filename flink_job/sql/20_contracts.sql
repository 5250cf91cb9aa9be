-- Contract records: the meter and the document. Whether the document is a contract is for the reading's side to judge.
SELECT
  JSON_VALUE(DECODE(payload, 'UTF-8'), '$.meter_id') AS meter_id,
  DECODE(payload, 'UTF-8') AS document,
  payload,
  shard,
  record_position,
  arrival
FROM source_contracts
