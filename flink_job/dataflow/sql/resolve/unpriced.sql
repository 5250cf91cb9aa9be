-- The table `unpriced`: readings without a contract or tariff yet, with their bytes, to be redriven once the cause is fixed.
SELECT
  CASE WHEN POSITION(CHR(31) IN meter_id) = 0 THEN 'default' ELSE SPLIT_INDEX(meter_id, CHR(31), 0) END AS tenant,
  reason,
  detail,
  reading_id,
  SUBSTRING(meter_id FROM POSITION(CHR(31) IN meter_id) + 1) AS meter_id,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS interval_start,
  interval_s,
  SPLIT_INDEX(supply, CHR(30), 1) AS supply_point,
  SPLIT_INDEX(supply, CHR(30), 2) AS role,
  payload,
  device,
  shard,
  record_position,
  arrival,
  CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3)) AS unpriced_at
FROM resolved
WHERE reason IS NOT NULL AND reason NOT IN ('foreign_device', 'out_of_range', 'sensor')
