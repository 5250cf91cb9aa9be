-- The cost of each record by kind of charge, in 1e-6 of the currency, and its samples for alert rules.
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  is_first,
  readings,
  register_condition,
  import_ukwh,
  export_ukwh,
  reactive_import_uvarh,
  reactive_export_uvarh,
  price_reading(
    meter_id, p.carried.site_path, p.carried.tags, p.carried.arrival, p.carried.revision, p.carried.measurements,
    import_total_ukwh, export_total_ukwh, demand_ukwh, p.carried.contracted_uw, p.carried.supply,
    CASE WHEN bill_key <> '' THEN p.carried.segment_key END, start_ms, interval_s, is_first, is_overtaken, tou_period, slots
  ) AS price
FROM accumulated AS p
