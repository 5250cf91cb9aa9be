-- The table `alerts`: a row where an episode is raised and one where it is cleared.
SELECT
  MD5(CONCAT_WS('|', rule_id, meter_id, CAST(episode_ms AS STRING))) AS alert_id,
  rule_id,
  severity,
  CASE WHEN breach <> '' THEN 'raised' ELSE 'cleared' END AS state,
  meter_id AS entity,
  site_path,
  measured AS `value`,
  threshold,
  CAST(TO_TIMESTAMP_LTZ(episode_ms, 3) AS TIMESTAMP(3)) AS episode_start,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS event_time,
  FALSE AS historical
FROM episodes
WHERE (breach <> '' AND breach_before = '') OR (breach = '' AND breach_before <> '')
