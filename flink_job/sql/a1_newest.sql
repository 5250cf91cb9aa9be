-- Event time so far of each rule and meter, so that a late reading neither raises nor clears.
SELECT
  *,
  MAX(start_ms) OVER (
    PARTITION BY meter_id, rule_id
    ORDER BY processed_at
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ) AS newest_ms
FROM checked
