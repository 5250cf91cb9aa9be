-- Alerts, a row per episode (and per site, if the meter moved during it), with the times of notification, end and
-- acknowledgement. Alerts that were historical or muted throughout have no `notified_at`.
SELECT
  a.tenant,
  a.alert_id,
  MAX(a.rule_id) AS rule_id,
  MAX(a.title) AS title,
  MAX(a.entity) AS entity,
  MAX(a.site_path) AS site_path,
  split_part(a.site_path, '/', 1) AS site,
  MIN(a.episode_start) AS episode_start,
  MIN(CASE WHEN a.state IN ('raised', 'flapping') AND NOT a.historical AND NOT a.muted THEN a.arrival END) AS notified_at,
  COALESCE(MAX(CASE WHEN a.state IN ('cleared', 'latched') THEN a.event_time END), MIN(d.closed_at)) AS over_at,
  MIN(d.acknowledged_at) AS acknowledged_at,
  MAX(a.cost) AS cost,
  MAX(CASE WHEN a.state = 'flapping' THEN 1 ELSE 0 END) AS flapping
FROM alerts AS a
LEFT JOIN (
  SELECT
    tenant,
    alert_id,
    MIN(CASE WHEN action = 'ack' THEN done_at END) AS acknowledged_at,
    MAX(CASE WHEN action = 'close' THEN done_at END) AS closed_at
  FROM alert_actions
  WHERE action IN ('ack', 'close')
  GROUP BY tenant, alert_id
) AS d ON d.tenant = a.tenant AND d.alert_id = a.alert_id
GROUP BY a.tenant, a.alert_id, split_part(a.site_path, '/', 1)
