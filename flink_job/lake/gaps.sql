-- What is missing: spans between two readings of a meter that are further apart than their interval, and how many
-- numbers the device's own counter skipped there. A span without skipped numbers was never measured or sent.
SELECT
  tenant,
  meter_id,
  device_id,
  site_path,
  interval_s,
  previous_end AS gap_start,
  interval_start AS gap_end,
  CAST(FLOOR(date_diff('second', previous_end, interval_start) * 1.0 / interval_s) AS INTEGER) AS missing_readings,
  CASE WHEN sequence_number > previous_sequence THEN sequence_number - previous_sequence - 1 END AS missing_sequences
FROM (
  SELECT
    *,
    LAG(interval_start + INTERVAL '1' SECOND * interval_s) OVER device AS previous_end,
    LAG(sequence_number) OVER device AS previous_sequence
  FROM (SELECT * FROM costs WHERE is_first)
  WINDOW device AS (PARTITION BY tenant, meter_id, split_part(site_path, '/', 1) ORDER BY interval_start)
) AS ordered
WHERE interval_start >= previous_end + INTERVAL '1' SECOND * interval_s
