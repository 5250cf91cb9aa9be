-- Registers unwrapped: a fall by more than half the range is a roll-over, a rise by more than half is a read from before one, so
-- with the number of roll-overs the total never falls. Also the times of the earliest and the latest read so far.
SELECT
  *,
  register_ukwh + COALESCE(rollover_ukwh, 0) * SUM(
    CASE
      WHEN register_ukwh < register_before - rollover_ukwh / 2 THEN 1
      WHEN register_before >= 0 AND register_ukwh > register_before + rollover_ukwh / 2 THEN -1
      ELSE 0
    END
  ) OVER register_reads AS register_total_ukwh,
  COALESCE(MIN(start_ms) OVER register_reads, 0) AS register_first_ms,
  COALESCE(MAX(start_ms) OVER register_reads, 0) AS register_last_ms
FROM register_steps
WINDOW register_reads AS (
  PARTITION BY meter_id, register_id
  ORDER BY processed_at
  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
