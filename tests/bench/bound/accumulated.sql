-- The bill of each meter's month so far: energy and peak.
SELECT
  *,
  SUM(import_delta_ukwh) OVER bill AS total_ukwh,
  MAX(import_top) OVER bill AS peak_ukwh
FROM (
  SELECT *, import_top - import_previous AS import_delta_ukwh, start_ms / 2678400000 AS month_number
  FROM previous_revisions
  WHERE records_seen = 1 OR import_top <> import_previous
)
WINDOW bill AS (
  PARTITION BY meter_id, month_number
  ORDER BY processed_at
  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
