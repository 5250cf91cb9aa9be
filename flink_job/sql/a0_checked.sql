-- Readings of meters with limits, once for each rule: its code, and the breach ('' where there is none).
SELECT
  meter_id,
  start_ms,
  site_path,
  SPLIT_INDEX(c.rule_check, '|', 0) AS rule_id,
  SPLIT_INDEX(c.rule_check, '|', 1) AS severity,
  SPLIT_INDEX(c.rule_check, '|', 2) AS breach,
  CAST(SPLIT_INDEX(c.rule_check, '|', 3) AS DOUBLE) AS measured,
  CAST(SPLIT_INDEX(c.rule_check, '|', 4) AS DOUBLE) AS threshold,
  processed_at
FROM priceable
CROSS JOIN UNNEST(checks) AS c (rule_check)
