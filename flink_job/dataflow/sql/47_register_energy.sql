-- Energy is what a read adds to that span; the first of a dial only begins it. A read that comes after a later one adds
-- nothing, or the energy up to the later one if it is the earliest, and is marked by is_overtaken: `rerate` places such
-- energy exactly. What alerts see as the energy of the interval (register_interval_ukwh, -1 for unknown) a register tells
-- only where the read before is one interval old.
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, demand_slot, demand_start_ms, demand_window_s,
  import_packed, export_packed, reactive_import_packed, reactive_export_packed, register_packed, register_energy_ukwh,
  CASE WHEN NOT is_overtaken AND start_ms - register_before_ms = interval_s * 1000 THEN register_energy_ukwh ELSE -1 END
    AS register_interval_ukwh,
  is_overtaken
FROM (
  SELECT
    *,
    COALESCE(register_peak_ukwh - register_floor_ukwh - LAG(register_peak_ukwh - register_floor_ukwh) OVER dial, 0)
      AS register_energy_ukwh,
    COALESCE(LAG(register_last_ms) OVER dial, 0) AS register_before_ms,
    register_total_ukwh < register_peak_ukwh AS is_overtaken
  FROM register_span
  WINDOW dial AS (PARTITION BY meter_id, register_id ORDER BY processed_at)
)
