-- Energy of the demand interval that a reading lies in, so far. A reading longer than the demand interval counts with
-- its mean power: nothing finer is known.
SELECT
  *,
  GREATEST(SUM(
    CASE
      WHEN interval_s > demand_window_s THEN import_ukwh * demand_window_s / interval_s
      ELSE import_ukwh
    END
  ) OVER (
    PARTITION BY meter_id, demand_start_ms
    ORDER BY processed_at
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ), 0) AS demand_ukwh
FROM metered
