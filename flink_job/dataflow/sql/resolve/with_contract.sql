-- Every reading with its contract, NULL if there is none.
SELECT meter_id, payload, device, shard, record_position, CAST(arrival AS TIMESTAMP(3)) AS arrival, reading, contract
FROM latest
WHERE contract IS NOT NULL
UNION ALL
SELECT meter_id, payload, device, shard, record_position, CAST(arrival AS TIMESTAMP(3)) AS arrival, reading, version AS contract
FROM as_of_arrival
