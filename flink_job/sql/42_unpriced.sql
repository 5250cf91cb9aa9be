-- The table `unpriced`: readings that no tariff prices yet, kept with their bytes, to be published again once the cause
-- is mended.
SELECT
  reason,
  detail,
  reading_id,
  meter_id,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS interval_start,
  payload,
  shard,
  record_position,
  arrival,
  CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3)) AS unpriced_at
FROM placed
WHERE reason IS NOT NULL
