-- The energy of a read is the increase of (highest total - earliest total); the first read of a register has none. A read that
-- arrives after a later one adds nothing, or the energy up to the later one if it is the earliest; it is marked by is_overtaken,
-- and `rerate` places its energy exactly. The energy of the interval for alerts (register_interval_ukwh, -1 if unknown) is
-- known only if the previous read is one interval old.
SELECT
  carried, meter_id, start_ms, interval_s, bill_key, tou_period, updates,
  import_packed, export_packed, reactive_import_packed, reactive_export_packed, register_packed, register_energy_ukwh,
  CASE WHEN NOT is_overtaken AND start_ms - register_before_ms = interval_s * 1000 THEN register_energy_ukwh ELSE -1 END
    AS register_interval_ukwh,
  is_overtaken
FROM (
  SELECT
    *,
    COALESCE(register_peak_ukwh - register_floor_ukwh - LAG(register_peak_ukwh - register_floor_ukwh) OVER register_reads, 0)
      AS register_energy_ukwh,
    COALESCE(LAG(register_last_ms) OVER register_reads, 0) AS register_before_ms,
    register_total_ukwh < register_peak_ukwh AS is_overtaken
  FROM register_span
  WINDOW register_reads AS (PARTITION BY meter_id, register_id ORDER BY processed_at)
)
