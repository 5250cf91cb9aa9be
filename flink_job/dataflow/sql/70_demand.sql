-- Readings that change something, with what each tells of the energy of its demand interval. One as long as that tells all of
-- it (demand_whole_ukwh); a shorter one, a correction of a register's energy, a part. One that is longer counts with its
-- mean power: nothing finer is known.
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
