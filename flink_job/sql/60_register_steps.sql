-- Readings of a cumulative register, with the read that came before (-1 for the first). Where OVER operators follow each
-- other their results are wrapped in an expression: the planner gives bare ones the same name.
SELECT
  *,
  COALESCE(LAG(register_ukwh) OVER dial, -1) AS register_before,
  COALESCE(LAG(start_ms) OVER dial, 0) AS register_before_ms
FROM deltas
WHERE register_ukwh IS NOT NULL AND NOT is_repeat
WINDOW dial AS (PARTITION BY meter_id, register_id ORDER BY processed_at)
