-- ... and the peaks before this reading. (Sums before a reading are sums after it less its own.)
SELECT
  reading_id, meter_id, start_ms, interval_s, revision, quality, device_id, sequence_number, shard, record_position,
  arrival, segment_key, bill_key, site_path, tou_period, demand_slot, demand_start_ms, demand_window_s, day_start_ms,
  day_s, measurements, tags, contracted_uw, import_total_ukwh, export_total_ukwh, is_first, import_ukwh, export_ukwh,
  reactive_import_uvarh, reactive_export_uvarh, is_overtaken, demand_ukwh, import_0, import_1, import_2, import_3,
  import_4, import_5, export_0, export_1, export_2, export_3, export_4, export_5, peak_0, peak_1, peak_2, peak_3,
  COALESCE(LAG(peak_0) OVER bill, 0) AS previous_peak_0,
  COALESCE(LAG(peak_1) OVER bill, 0) AS previous_peak_1,
  COALESCE(LAG(peak_2) OVER bill, 0) AS previous_peak_2,
  COALESCE(LAG(peak_3) OVER bill, 0) AS previous_peak_3
FROM accumulated
WINDOW bill AS (PARTITION BY meter_id, bill_key ORDER BY processed_at)
