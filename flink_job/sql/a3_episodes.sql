-- An episode begins where a breach follows none; its beginning names the alert.
SELECT
  *,
  MAX(CASE WHEN breach <> '' AND breach_before = '' THEN start_ms END) OVER (
    PARTITION BY meter_id, rule_id
    ORDER BY processed_at
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ) AS episode_ms
FROM changes
