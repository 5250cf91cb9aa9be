-- Readings that have a tariff, and intervals that wait for a price (is_priced = 0): the contract says where and on which local day they
-- count, but there is no tariff, assignment or price for them yet. Their bytes are in `unpriced`. Columns that are only passed on until
-- the price is known travel as one nested row.
SELECT
  meter_id,
  start_ms,
  interval_s,
  register_id,
  rollover_ukwh,
  highest_uw,
  bill_key,
  tou_period,
  updates,
  import_packed,
  export_packed,
  reactive_import_packed,
  reactive_export_packed,
  register_packed,
  CAST(
    ROW(reading_id, revision, quality, device_id, sequence_number, shard, record_position,
      arrival, site_path, supply, segment_key, day_start_ms, day_s, measurements, tags, contracted_uw, demand_estimated)
    AS ROW<
      reading_id STRING, revision INT, quality STRING, device_id STRING, sequence_number BIGINT,
      shard STRING, record_position STRING, arrival TIMESTAMP(3), site_path STRING, supply STRING, segment_key STRING,
      day_start_ms BIGINT, day_s INT, measurements STRING, tags STRING, contracted_uw BIGINT,
      demand_estimated BOOLEAN
    >
  ) AS carried,
  CASE WHEN reason IS NULL THEN 1 ELSE 0 END AS is_priced
FROM resolved
WHERE
  reason IS NULL
  OR reason NOT IN ('foreign_device', 'out_of_range', 'sensor', 'quantity_out_of_range')
  AND day_start_ms >= 0 AND register_packed IS NULL
