-- Records that changed nothing: repeats and revisions older than one already seen.
SELECT
  deltas.carried.reading_id AS reading_id,
  meter_id,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS interval_start,
  tally_repeated(deltas.carried.revision) AS revision,
  deltas.carried.shard AS shard,
  deltas.carried.record_position AS record_position,
  deltas.carried.arrival AS arrival,
  CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3)) AS repeated_at
FROM deltas
WHERE is_repeat
