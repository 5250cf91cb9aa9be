-- Missing readings of each meter, one row per gap. `between`: between two readings that are more than one interval apart.
-- `before_first` and `after_last`: from the first reading of the meter's site to the first of the meter, and from the last
-- of the meter to the last of its site. missing_sequences is the number of messages that the device counted between the
-- two readings; in a gap without any, nothing was measured or sent.
WITH readings AS (
  SELECT
    *,
    LAG(interval_end) OVER device AS previous_end,
    LAG(sequence_number) OVER device AS previous_sequence,
    ROW_NUMBER() OVER (PARTITION BY tenant, meter_id ORDER BY interval_start) AS number_from_first,
    ROW_NUMBER() OVER (PARTITION BY tenant, meter_id ORDER BY interval_start DESC) AS number_from_last,
    MIN(interval_start) OVER (PARTITION BY tenant, site) AS site_start,
    MAX(interval_end) OVER (PARTITION BY tenant, site) AS site_end
  FROM (
    SELECT
      *,
      split_part(site_path, '/', 1) AS site,
      interval_start + INTERVAL '1' SECOND * interval_s AS interval_end
    FROM costs
    WHERE is_first
  ) AS firsts
  WINDOW device AS (PARTITION BY tenant, meter_id, site ORDER BY interval_start)
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
  WHERE number_from_first = 1
  UNION ALL
  SELECT
    tenant, meter_id, device_id, site_path, interval_s, 'after_last' AS kind, interval_end AS gap_start,
    site_end AS gap_end, NULL AS missing_sequences
  FROM readings
  WHERE number_from_last = 1
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
