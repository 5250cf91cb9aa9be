-- What the gates of alert rules let through: readings of measured channels alone, costed readings, KPI windows. Nearly
-- every row has nothing to tell and ends here.
SELECT
  CONCAT('channels|', meter_id) AS gate,
  meter_id AS entity,
  watch_batch,
  watch_certain,
  watch_hot
FROM placed
WHERE watch_certain IS NOT NULL
UNION ALL
SELECT
  CONCAT('costed|', meter_id) AS gate,
  meter_id AS entity,
  watch_batch,
  watch_certain,
  watch_hot
FROM costed
WHERE watch_certain IS NOT NULL
UNION ALL
SELECT
  CONCAT('kpi|', k.level, '|', CAST(k.window_s AS STRING), '|', k.entity) AS gate,
  k.entity,
  k.watch.watch_batch AS watch_batch,
  k.watch.watch_certain AS watch_certain,
  k.watch.watch_hot AS watch_hot
FROM kpi_samples AS k
WHERE k.watch.watch_certain IS NOT NULL
