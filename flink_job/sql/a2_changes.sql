-- The breach before this reading.
SELECT
  *,
  COALESCE(LAG(breach) OVER episode, '') AS breach_before
FROM newest
WHERE start_ms = newest_ms
WINDOW episode AS (PARTITION BY meter_id, rule_id ORDER BY processed_at)
