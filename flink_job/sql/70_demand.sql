-- Energy of the demand interval that a reading lies in, so far. A reading as long as that has it by itself; one longer
-- counts with its mean power: nothing finer is known. Such readings are summed under one of some two thousand keys, by
-- meter, which are in memory, and the sum is not looked at: so all stay on one road, on which none passes another.
SELECT
  *,
  CASE
    WHEN summed_of = '' THEN interval_ukwh * demand_window_s / interval_s
    ELSE GREATEST(SUM(
      CASE
        WHEN summed_of = '' THEN 0
        WHEN interval_s > demand_window_s THEN import_ukwh * demand_window_s / interval_s
        ELSE import_ukwh
      END
    ) OVER (
      PARTITION BY summed_of, summed_from
      ORDER BY processed_at
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ), 0)
  END AS demand_ukwh
FROM (
  SELECT
    *,
    CASE WHEN is_alone THEN '' ELSE meter_id END AS summed_of,
    CASE WHEN is_alone THEN CAST(MOD(HASH_CODE(meter_id), 1024) AS BIGINT) ELSE demand_start_ms END AS summed_from
  FROM (
    SELECT *, interval_ukwh IS NOT NULL AND interval_s >= demand_window_s AS is_alone
    FROM deltas
    WHERE NOT is_repeat
  )
)
