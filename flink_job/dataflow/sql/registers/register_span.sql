-- The total of the earliest read and the highest total so far: neither depends on the order of arrival. Only a read that was taken
-- before all others lowers the floor; a later, lower one, as after a register was reset, does not.
SELECT
  *,
  COALESCE(MAX(register_total_ukwh) OVER register_reads, 0) AS register_peak_ukwh,
  COALESCE(
    MIN(CASE WHEN start_ms = register_first_ms THEN register_total_ukwh END) OVER register_reads,
    register_total_ukwh
  ) AS register_floor_ukwh
FROM register_totals
WINDOW register_reads AS (
  PARTITION BY meter_id, register_id
  ORDER BY processed_at
  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
