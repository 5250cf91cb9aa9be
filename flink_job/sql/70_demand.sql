-- Energy of the demand interval that a reading lies in, so far.
SELECT
  *,
  GREATEST(SUM(import_ukwh) OVER (
    PARTITION BY meter_id, demand_start_ms
    ORDER BY processed_at
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ), 0) AS demand_ukwh
FROM metered
