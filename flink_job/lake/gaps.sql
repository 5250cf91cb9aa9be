-- Missing readings of each meter, one row per gap. `between`: between two readings that are more than one interval apart.
-- `before_first` and `after_last`: from the first reading of the meter's site to the first of the meter, and from the last
-- of the meter to the last of its site, or to the last hour in which the job expected readings of the meter and none came.
-- `never`: a meter with a contract and without a reading, in the hours in which the job expected its readings.
-- A reading that is unpriced is not missing. missing_sequences is the number of messages that the device counted between
-- the two readings; in a gap without any, nothing was measured or sent.
WITH silent AS (
  SELECT tenant, entity AS meter_id, site_path, window_start, window_end, expected_readings
  FROM kpis
  WHERE level = 'meter' AND window_s = 3600 AND readings = 0 AND expected_readings > 0
),

-- A meter's newest place, for its readings that have no price.
places AS (
  SELECT tenant, meter_id, max_by(site_path, seen) AS site_path
  FROM (
    SELECT tenant, meter_id, site_path, interval_start AS seen FROM costs
    UNION ALL
    SELECT tenant, meter_id, site_path, window_start AS seen FROM silent
  ) AS seen_places
  GROUP BY tenant, meter_id
),

received AS (
  SELECT
    tenant, meter_id, device_id, site_path, interval_start, interval_s, sequence_number,
    interval_start + INTERVAL '1' SECOND * interval_s AS interval_end
  FROM costs
  WHERE is_first
  UNION ALL
  SELECT
    u.tenant, u.meter_id, NULL AS device_id, MAX(p.site_path) AS site_path, u.interval_start,
    MAX(u.interval_s) AS interval_s, NULL AS sequence_number,
    u.interval_start + INTERVAL '1' SECOND * MAX(u.interval_s) AS interval_end
  FROM unpriced AS u
  LEFT JOIN places AS p ON p.tenant = u.tenant AND p.meter_id = u.meter_id
  LEFT JOIN (SELECT tenant, meter_id, interval_start FROM costs WHERE is_first) AS c
    ON c.tenant = u.tenant AND c.meter_id = u.meter_id AND c.interval_start = u.interval_start
  WHERE c.meter_id IS NULL
  GROUP BY u.tenant, u.meter_id, u.interval_start
),

readings AS (
  SELECT
    *,
    LAG(interval_end) OVER device AS previous_end,
    LAG(sequence_number) OVER device AS previous_sequence,
    ROW_NUMBER() OVER (PARTITION BY tenant, meter_id ORDER BY interval_start) AS number_from_first,
    ROW_NUMBER() OVER (PARTITION BY tenant, meter_id ORDER BY interval_start DESC) AS number_from_last,
    MIN(interval_start) OVER (PARTITION BY tenant, site) AS site_start,
    MAX(interval_end) OVER (PARTITION BY tenant, site) AS site_end
  FROM (SELECT *, split_part(site_path, '/', 1) AS site FROM received) AS of_sites
  WINDOW device AS (PARTITION BY tenant, meter_id, site ORDER BY interval_start)
),

-- The last reading of each meter, and the last full hour in which the job expected readings of it after that.
lasts AS (
  SELECT r.tenant, r.meter_id, r.device_id, r.site_path, r.interval_s, r.interval_end, r.site_end, MAX(s.window_end) AS silent_until
  FROM readings AS r
  LEFT JOIN silent AS s
    ON s.tenant = r.tenant AND s.meter_id = r.meter_id AND s.window_start >= r.interval_end
    AND s.expected_readings * r.interval_s >= 3600
  WHERE r.number_from_last = 1
  GROUP BY r.tenant, r.meter_id, r.device_id, r.site_path, r.interval_s, r.interval_end, r.site_end
),

spans AS (
  SELECT
    tenant, meter_id, device_id, site_path, interval_s, 'between' AS kind, previous_end AS gap_start,
    interval_start AS gap_end,
    CASE WHEN sequence_number > previous_sequence THEN sequence_number - previous_sequence - 1 END AS missing_sequences
  FROM readings
  UNION ALL
  SELECT
    tenant, meter_id, device_id, site_path, interval_s, 'before_first' AS kind, site_start AS gap_start,
    interval_start AS gap_end, NULL AS missing_sequences
  FROM readings
  WHERE number_from_first = 1 AND site IS NOT NULL
  UNION ALL
  SELECT
    tenant, meter_id, device_id, site_path, interval_s, 'after_last' AS kind, interval_end AS gap_start,
    CASE WHEN silent_until > site_end OR site_path IS NULL THEN silent_until ELSE site_end END AS gap_end,
    NULL AS missing_sequences
  FROM lasts
)

SELECT
  tenant,
  meter_id,
  device_id,
  site_path,
  interval_s,
  kind,
  gap_start,
  gap_end,
  CAST(FLOOR(date_diff('second', gap_start, gap_end) * 1.0 / interval_s) AS INTEGER) AS missing_readings,
  missing_sequences
FROM spans
WHERE gap_end >= gap_start + INTERVAL '1' SECOND * interval_s
UNION ALL
SELECT
  s.tenant,
  s.meter_id,
  NULL AS device_id,
  max_by(s.site_path, s.window_start) AS site_path,
  CAST(3600 * COUNT(*) / SUM(s.expected_readings) AS INTEGER) AS interval_s,
  'never' AS kind,
  MIN(s.window_start) AS gap_start,
  MAX(s.window_end) AS gap_end,
  CAST(SUM(s.expected_readings) AS INTEGER) AS missing_readings,
  NULL AS missing_sequences
FROM silent AS s
LEFT JOIN (SELECT DISTINCT tenant, meter_id FROM received) AS r ON r.tenant = s.tenant AND r.meter_id = s.meter_id
WHERE r.meter_id IS NULL
GROUP BY s.tenant, s.meter_id
