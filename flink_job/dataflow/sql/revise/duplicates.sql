-- The table `duplicates`: records that changed nothing, because they are repeats or revisions older than one already seen.
SELECT
  CASE WHEN POSITION(CHR(31) IN meter_id) = 0 THEN 'default' ELSE SPLIT_INDEX(meter_id, CHR(31), 0) END AS tenant,
  deltas.carried.reading_id AS reading_id,
  SUBSTRING(meter_id FROM POSITION(CHR(31) IN meter_id) + 1) AS meter_id,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS interval_start,
  count_duplicates(deltas.carried.revision) AS revision,
  deltas.carried.shard AS shard,
  deltas.carried.record_position AS record_position,
  deltas.carried.arrival AS arrival,
  CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3)) AS deduplicated_at
FROM deltas
WHERE is_repeat AND is_priced = 1
