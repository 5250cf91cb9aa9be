-- The cost of each record by kind of charge, in 1e-6 of the currency, and its samples for alert rules.
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  demand_next_slot,
  is_first,
  import_ukwh,
  export_ukwh,
  reactive_import_uvarh,
  reactive_export_uvarh,
  price_reading(
    meter_id, p.carried.site_path, p.carried.tags, p.carried.arrival, p.carried.revision, p.carried.measurements,
    import_total_ukwh, export_total_ukwh, demand_ukwh, demand_window_s, p.carried.contracted_uw,
    p.carried.segment_key, start_ms, interval_s, is_first, is_overtaken, tou_period, import_ukwh, export_ukwh,
    import_0, import_1, import_2, import_3, import_4, import_5,
    export_0, export_1, export_2, export_3, export_4, export_5,
    peak_0, peak_1, peak_2, peak_3,
    previous_peak_0, previous_peak_1, previous_peak_2, previous_peak_3
  ) AS price
FROM accumulated AS p
