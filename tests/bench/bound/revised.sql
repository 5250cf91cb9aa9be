-- The highest quantity seen so far of each interval (revisions are zero in the bench's input). Results of OVER are
-- wrapped in expressions: where such operators follow each other the planner gives bare ones the same name.
SELECT
  *,
  GREATEST(MAX(import_ukwh) OVER seen, 0) AS import_top,
  COUNT(*) OVER seen + 0 AS records_seen
FROM resolved
WINDOW seen AS (
  PARTITION BY meter_id, start_ms
  ORDER BY processed_at
  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
