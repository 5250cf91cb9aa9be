-- Records that changed nothing: repeats and revisions older than one already seen.
SELECT
  reading_id,
  meter_id,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS interval_start,
  tally_repeated(revision) AS revision,
  shard,
  record_position,
  arrival
FROM deltas
WHERE is_repeat
