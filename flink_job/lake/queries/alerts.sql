-- title: Alerts
-- description: Alerts with the times of notification, end and acknowledgement.
-- units: cost [currency]
-- parameter from: episode_start >= CAST(? AS DATE)
-- parameter to: episode_start < CAST(? AS DATE) + INTERVAL '1' DAY
-- parameter site: site
-- max_days: 366
SELECT alert_id, rule_id, title, entity, site_path, episode_start, notified_at, over_at, acknowledged_at,
  cost, flapping
FROM alert_episodes
WHERE {from} AND {to} AND {sites}
ORDER BY episode_start DESC, alert_id
