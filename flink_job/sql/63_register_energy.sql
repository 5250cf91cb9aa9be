-- Energy since the highest total before; the first read of a dial only sets it. A read that comes after a later one
-- adds nothing of its own and is marked by is_overtaken.
SELECT
  *,
  COALESCE(register_peak_ukwh - LAG(register_peak_ukwh) OVER dial, 0) AS register_energy_ukwh,
  register_total_ukwh < register_peak_ukwh AS is_overtaken
FROM register_peak
WINDOW dial AS (PARTITION BY meter_id, register_id ORDER BY processed_at)
