-- Rows of `costs` by quarter hour of their power. A reading that ends in the next quarter hour has a row in each: its energy is
-- divided by time (`quarter_kwh`). Windows end with local days and partitions with UTC days, so the part after the end of a day counts
-- in no quarter hour; in its place the first reading of the day counts as if it had begun with the day. A reading of more than a
-- quarter hour is not divided. The same rule as in the job (flink_job/dataflow/sql/kpis/kpi_parts.sql).
WITH slots AS (
  SELECT
    *,
    date_trunc('hour', interval_start)
    + CAST(FLOOR(EXTRACT(MINUTE FROM interval_start) / 15.0) AS INTEGER) * INTERVAL '15' MINUTE AS slot_start
  FROM costs
),

placed AS (
  SELECT
    *,
    slot_start + INTERVAL '15' MINUTE AS slot_end,
    date_diff('second', slot_start, interval_start) AS offset_s
  FROM slots
),

divided AS (
  SELECT
    *,
    CASE WHEN interval_s <= 900 AND offset_s + interval_s > 900 THEN offset_s + interval_s - 900 ELSE 0 END AS rest_s,
    CASE
      WHEN interval_s > 900 OR offset_s >= interval_s THEN 0
      WHEN slot_start <= day_start OR slot_start = date_trunc('day', slot_start) THEN offset_s
      ELSE 0
    END AS lead_s,
    slot_end >= day_start + day_s * INTERVAL '1' SECOND OR slot_end = date_trunc('day', slot_end) AS ends_day
  FROM placed
)

SELECT
  tenant,
  reading_id,
  meter_id,
  site_path,
  COALESCE(divided.supply_point, meter_id) AS supply_point,
  COALESCE(divided.role, 'main') AS role,
  COALESCE(divided.upstream_path, '') AS upstream_path,
  split_part(site_path, '/', 1) AS site,
  slot_start AS window_start,
  currency,
  day_start,
  day_s,
  event_date,
  cycle_start,
  tariff_id,
  tariff_version,
  interval_s,
  CASE WHEN is_first THEN 1 ELSE 0 END AS readings,
  energy_kwh,
  export_kwh,
  reactive_kvarh,
  cost,
  CAST(energy_kwh AS DOUBLE) * (interval_s - rest_s + lead_s) / interval_s AS quarter_kwh
FROM divided
UNION ALL
SELECT
  tenant,
  reading_id,
  meter_id,
  site_path,
  COALESCE(divided.supply_point, meter_id) AS supply_point,
  COALESCE(divided.role, 'main') AS role,
  COALESCE(divided.upstream_path, '') AS upstream_path,
  split_part(site_path, '/', 1) AS site,
  slot_end AS window_start,
  currency,
  day_start,
  day_s,
  event_date,
  cycle_start,
  tariff_id,
  tariff_version,
  interval_s,
  0 AS readings,
  0 AS energy_kwh,
  0 AS export_kwh,
  0 AS reactive_kvarh,
  0 AS cost,
  CAST(energy_kwh AS DOUBLE) * rest_s / interval_s AS quarter_kwh
FROM divided
WHERE rest_s > 0 AND NOT ends_day
