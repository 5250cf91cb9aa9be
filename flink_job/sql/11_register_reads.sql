-- The table `register_reads`: what dials showed. The energy between two reads can be placed exactly once all have come.
SELECT
  reading_id,
  meter_id,
  register_id,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS interval_start,
  interval_s,
  revision,
  CAST(MOD(register_packed, 1125899906842624) * 0.000001 AS DECIMAL(18, 6)) AS register_kwh,
  CAST(NULLIF(rollover_ukwh, -1) * 0.000001 AS DECIMAL(18, 6)) AS rollover_kwh,
  shard,
  record_position,
  CAST(arrival AS TIMESTAMP(3)) AS arrival
FROM decoded
WHERE reason IS NULL AND register_packed >= 0
