-- Records that change something, with their contribution to the energy of their demand interval: all of it for a reading as long
-- as the interval (demand_whole_ukwh), else a part (a shorter reading, a correction, register energy). A longer reading
-- counts with its mean power. A reading that straddles two demand intervals (demand_next_slot, see udfs/resolve.py) is split
-- by time: the part in the second one is rounded down, the first one has the rest, so that both add up.
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
  demand_next_slot,
  is_first,
  is_overtaken,
  import_ukwh,
  export_ukwh,
  reactive_import_uvarh,
  reactive_export_uvarh,
  import_total_ukwh,
  export_total_ukwh,
  CASE
    WHEN demand_next_slot = ${NO_NEXT_INTERVAL} AND interval_s >= demand_window_s
      THEN interval_ukwh * demand_window_s / interval_s
  END AS demand_whole_ukwh,
  CASE
    WHEN interval_s > demand_window_s THEN import_ukwh * demand_window_s / interval_s
    WHEN demand_next_slot = ${NO_NEXT_INTERVAL} THEN import_ukwh
    ELSE import_ukwh - next_ukwh
  END AS demand_part_ukwh,
  CASE WHEN demand_next_slot >= 0 THEN next_ukwh END AS demand_next_ukwh,
  demand_start_ms + demand_window_s * 1000 AS demand_next_ms
FROM (
  SELECT
    *,
    -- The part of the quantity after the record minus that of the quantity before it.
    CASE
      WHEN demand_next_slot <> ${NO_NEXT_INTERVAL}
        THEN after_ukwh / interval_ms * next_part_ms + MOD(after_ukwh, interval_ms) * next_part_ms / interval_ms
        - (after_ukwh - import_ukwh) / interval_ms * next_part_ms
        - MOD(after_ukwh - import_ukwh, interval_ms) * next_part_ms / interval_ms
    END AS next_ukwh
  FROM (
    SELECT
      *,
      COALESCE(interval_ukwh, import_ukwh) AS after_ukwh,
      interval_s * 1000 AS interval_ms,
      start_ms - demand_start_ms + (interval_s - demand_window_s) * 1000 AS next_part_ms
    FROM deltas
    WHERE NOT is_repeat
  )
)
