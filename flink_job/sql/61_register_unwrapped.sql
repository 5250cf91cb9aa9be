-- A fall by more than half the dial is a roll-over, a rise by more than half is a read from before one: the count of
-- turns makes the register one that never falls.
SELECT
  *,
  register_ukwh + COALESCE(rollover_ukwh, 0) * SUM(
    CASE
      WHEN register_ukwh < register_before - rollover_ukwh / 2 THEN 1
      WHEN register_before >= 0 AND register_ukwh > register_before + rollover_ukwh / 2 THEN -1
      ELSE 0
    END
  ) OVER (
    PARTITION BY meter_id, register_id
    ORDER BY processed_at
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ) AS register_total_ukwh
FROM register_steps
