-- The highest total so far, never below zero.
SELECT
  *,
  GREATEST(MAX(register_total_ukwh) OVER (
    PARTITION BY meter_id, register_id
    ORDER BY processed_at
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ), 0) AS register_peak_ukwh
FROM register_unwrapped
