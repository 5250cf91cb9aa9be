-- Records that change something, with their contribution to the energy of their demand interval: all of it for a reading as long
-- as the interval (demand_whole_ukwh), else a part (a shorter reading, a correction, register energy). A longer reading
-- counts with its mean power.
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  bill_key,
  tou_period,
  demand_slot,
  demand_start_ms,
  demand_window_s,
  is_first,
  is_overtaken,
  import_ukwh,
  export_ukwh,
  reactive_import_uvarh,
  reactive_export_uvarh,
  import_total_ukwh,
  export_total_ukwh,
  CASE WHEN interval_s >= demand_window_s THEN interval_ukwh * demand_window_s / interval_s END AS demand_whole_ukwh,
  CASE WHEN interval_s > demand_window_s THEN import_ukwh * demand_window_s / interval_s ELSE import_ukwh END
    AS demand_part_ukwh
FROM deltas
WHERE NOT is_repeat
