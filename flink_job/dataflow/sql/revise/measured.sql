-- Interval readings and register reads in one stream, with intervals that wait for a price (is_priced = 0). A register read becomes
-- energy in the order of its meter's reads, so one that waits has none yet.
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, updates,
  import_packed, export_packed, reactive_import_packed, reactive_export_packed, register_packed,
  CAST(NULL AS BIGINT) AS register_energy_ukwh, CAST(NULL AS BIGINT) AS register_demand_ukwh,
  CAST(NULL AS BIGINT) AS register_interval_ukwh, 0 AS register_condition, FALSE AS is_overtaken,
  is_priced
FROM priceable
WHERE register_packed IS NULL
UNION ALL
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, updates,
  import_packed, export_packed, reactive_import_packed, reactive_export_packed, register_packed,
  register_energy_ukwh, register_demand_ukwh, register_interval_ukwh, register_condition, is_overtaken,
  1 AS is_priced
FROM register_energy
