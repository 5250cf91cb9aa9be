-- The table `register_reads`: register values as read. `settle` places the energy between reads exactly once all have arrived.
SELECT
  CASE WHEN POSITION(CHR(31) IN meter_id) = 0 THEN 'default' ELSE SPLIT_INDEX(meter_id, CHR(31), 0) END AS tenant,
  reading_id,
  SUBSTRING(meter_id FROM POSITION(CHR(31) IN meter_id) + 1) AS meter_id,
  register_id,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS interval_start,
  interval_s,
  revision,
  CAST(MOD(read_packed, ${QUANTITY_LIMIT}) * 0.000001 AS DECIMAL(18, 6)) AS register_kwh,
  CAST(NULLIF(read_rollover_ukwh, -1) * 0.000001 AS DECIMAL(18, 6)) AS rollover_kwh,
  shard,
  record_position,
  arrival
FROM resolved
WHERE read_packed >= 0 AND (reason IS NULL OR reason NOT IN ('foreign_device', 'out_of_range', 'sensor'))
