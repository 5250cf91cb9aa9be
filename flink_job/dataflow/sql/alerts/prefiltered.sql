-- Output of the pre-filters: samples of readings with measured channels only, of costed readings, of their supply points, and of
-- KPI windows, that can change an alert. `prefilter` identifies the pre-filter. Nearly all rows of the job are dropped here.
SELECT
  CONCAT('channels|', meter_id) AS prefilter,
  meter_id AS entity,
  alert_batch,
  alert_certain,
  alert_active
FROM resolved
WHERE alert_certain IS NOT NULL
UNION ALL
SELECT
  CONCAT('costed|', meter_id) AS prefilter,
  meter_id AS entity,
  alert_batch,
  alert_certain,
  alert_active
FROM costed
WHERE alert_certain IS NOT NULL
UNION ALL
SELECT
  CONCAT('supply|', supply_entity) AS prefilter,
  supply_entity AS entity,
  supply_batch AS alert_batch,
  supply_certain AS alert_certain,
  supply_active AS alert_active
FROM (
  -- The name of a supply point, as in flink_job/metering/site.py.
  SELECT
    supply_batch,
    supply_certain,
    supply_active,
    CONCAT(CASE WHEN supply IS NULL THEN meter_id ELSE SPLIT_INDEX(supply, CHR(30), 0) END, CHR(29)) AS supply_entity
  FROM costed
  WHERE supply_certain IS NOT NULL
) AS supplies
UNION ALL
SELECT
  CONCAT(
    'kpi|', k.level, '|', CAST(k.window_s AS STRING), '|', CASE WHEN k.level = 'meter' THEN '' ELSE k.currency END, '|', k.entity
  ) AS prefilter,
  k.entity,
  k.sample.alert_batch AS alert_batch,
  k.sample.alert_certain AS alert_certain,
  k.sample.alert_active AS alert_active
FROM kpi_samples AS k
WHERE k.sample.alert_certain IS NOT NULL
