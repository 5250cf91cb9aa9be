-- Reads of cumulative registers, times the contract's multiplier. They arrive in the order of their meter's records, because no operator
-- before has shuffled them by another key.
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, updates,
  import_packed, export_packed, reactive_import_packed, reactive_export_packed, register_packed,
  register_id, rollover_ukwh, highest_uw
FROM priceable
WHERE register_packed IS NOT NULL
