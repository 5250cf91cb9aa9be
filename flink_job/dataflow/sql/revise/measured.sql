-- Interval readings and register readings in one stream.
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, updates,
  import_packed, export_packed, reactive_import_packed, reactive_export_packed, register_packed,
  CAST(NULL AS BIGINT) AS register_energy_ukwh, CAST(NULL AS BIGINT) AS register_interval_ukwh, FALSE AS is_overtaken
FROM priceable
WHERE register_packed IS NULL
UNION ALL
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, updates,
  import_packed, export_packed, reactive_import_packed, reactive_export_packed, register_packed,
  register_energy_ukwh, register_interval_ukwh, is_overtaken
FROM register_energy
