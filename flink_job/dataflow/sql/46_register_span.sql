-- From the total of the earliest read to the highest, so far: neither depends on the order of arrival. Only a read that was
-- taken before all others lowers the beginning; a later one that is lower, as of a dial set back, does not.
SELECT
  *,
  COALESCE(MAX(register_total_ukwh) OVER dial, 0) AS register_peak_ukwh,
  COALESCE(
    MIN(CASE WHEN start_ms = register_first_ms THEN register_total_ukwh END) OVER dial,
    register_total_ukwh
  ) AS register_floor_ukwh
FROM register_unwrapped
WINDOW dial AS (
  PARTITION BY meter_id, register_id
  ORDER BY processed_at
  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
