-- Each part decoded: `reading` is a row of its fields (udfs/decode.py), or holds the reason of its rejection. The original
-- bytes stay with it until it is priced.
SELECT
  payload,
  tenant,
  device,
  arrival,
  shard,
  record_position,
  read_reading(payload, CAST(arrival AS TIMESTAMP(3)), tenant, device) AS reading
FROM parts
