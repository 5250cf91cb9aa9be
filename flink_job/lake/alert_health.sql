-- Quality of alerting (ISA-18.2), by site and hour of notification: the number of alerts, the highest number within ten
-- minutes (more than ten are a flood), raises of a rule and entity that was raised at least twice in the hour before
-- (chattering), alerts that stood for more than a day, and the mean time to acknowledge [s].
SELECT
  tenant,
  site,
  date_trunc('hour', notified_at) AS hour,
  COUNT(*) AS alerts,
  MAX(in_10_min) AS most_in_10_min,
  MAX(in_10_min) > 10 AS is_flood,
  SUM(CASE WHEN in_1_h > 2 THEN 1 ELSE 0 END) AS chattering,
  SUM(CASE WHEN date_diff('second', episode_start, COALESCE(over_at, newest)) > 86400 THEN 1 ELSE 0 END) AS standing,
  COUNT(acknowledged_at) AS acknowledged,
  AVG(date_diff('second', notified_at, acknowledged_at)) AS mean_time_to_acknowledge_s
FROM (
  SELECT
    *,
    MAX(COALESCE(over_at, notified_at)) OVER (PARTITION BY tenant, site) AS newest,
    COUNT(*) OVER (
      PARTITION BY tenant, site ORDER BY notified_at RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW
    ) AS in_10_min,
    COUNT(*) OVER (
      PARTITION BY tenant, site, rule_id, entity ORDER BY notified_at RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW
    ) AS in_1_h
  FROM alert_episodes
  WHERE notified_at IS NOT NULL
) AS notified
GROUP BY tenant, site, date_trunc('hour', notified_at)
