-- Readings whose meter had no contract yet are looked up again as of their arrival. That join buffers rows until both watermarks
-- have passed them, as after a cold start, so only the readings that need it take this way.
SELECT meter_id, payload, device, shard, record_position, CAST(arrival AS TIMESTAMP_LTZ(3)) AS arrival, reading
FROM latest
WHERE contract IS NULL
