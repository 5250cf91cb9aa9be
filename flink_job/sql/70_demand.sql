-- Energy of the demand interval that a reading lies in, so far. A reading as long as that has it by itself; one longer
-- counts with its mean power: nothing finer is known. Such readings are summed under one key for each meter, which is in
-- memory, and the sum is not looked at: so all stay on one road, on which none passes another.
SELECT
  *,
  CASE
    WHEN summed_from < 0 THEN interval_ukwh * demand_window_s / interval_s
    ELSE GREATEST(SUM(
      CASE
        WHEN summed_from < 0 THEN 0
        WHEN interval_s > demand_window_s THEN import_ukwh * demand_window_s / interval_s
        ELSE import_ukwh
      END
    ) OVER (
      PARTITION BY meter_id, summed_from
      ORDER BY processed_at
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ), 0)
  END AS demand_ukwh
FROM (
  SELECT
    *,
    CASE WHEN interval_ukwh IS NOT NULL AND interval_s >= demand_window_s THEN -1 ELSE demand_start_ms END AS summed_from
  FROM deltas
  WHERE NOT is_repeat
)
