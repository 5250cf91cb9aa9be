-- Samples for the alert state machines. Pre-filters live in the memory of the Python workers: after a start they forward an
-- entity's first samples as uncertain, and this operator drops those unless the entity had alert state (is_active, retained
-- state of this view).
SELECT entity, alert_batch
FROM (
  SELECT
    alert_batch,
    alert_certain,
    entity,
    LAST_VALUE(alert_active) OVER (
      PARTITION BY prefilter
      ORDER BY processed_at
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS is_active
  FROM prefiltered
) AS with_activity
WHERE alert_batch <> '' AND (alert_certain OR is_active = 1)
UNION ALL
-- A batch without samples, by which open alerts of an entity that moved or is gone end (see flink_job/alerts/samples.py).
SELECT entity, JSON_ARRAY(entity, site_path, tags, kind, '', 0, at_ms, '', JSON_ARRAY()) AS alert_batch
FROM presence
WHERE kind IN ('moved', 'gone')
