-- What each costed record adds to the KPIs of its meter: a row for the quarter hour in which it begins, and one for the next if a part of
-- its power counts there. Both come out of one operator, and so between the same two watermarks: in a UNION each branch would have
-- watermarks of its own.
SELECT
  meter_id,
  site_path,
  currency,
  COALESCE(SPLIT_INDEX(supply, CHR(30), 4), '') AS upstream_path,
  CASE WHEN is_rest THEN next_ms ELSE start_ms END AS start_ms,
  CASE WHEN is_rest THEN 0 ELSE interval_s END AS interval_s,
  day_start_ms,
  day_s,
  arrival,
  CASE WHEN is_rest THEN CAST(0 AS BIGINT) ELSE readings END AS readings,
  CAST(0 AS BIGINT) AS expected_readings,
  CASE WHEN is_rest THEN CAST(0 AS BIGINT) ELSE import_ukwh END AS import_ukwh,
  CASE WHEN is_rest THEN CAST(0 AS BIGINT) ELSE export_ukwh END AS export_ukwh,
  CASE WHEN is_rest THEN CAST(0 AS BIGINT) ELSE reactive_import_uvarh END AS reactive_uvarh,
  CASE WHEN is_rest THEN CAST(0 AS BIGINT) ELSE total_ucost END AS total_ucost,
  CASE WHEN is_rest THEN rest_ukw ELSE mean_ukw END AS mean_ukw,
  SPLIT_INDEX(site_path, '/', 0) AS site,
  event_time
FROM kpi_parts AS p
CROSS JOIN UNNEST(CASE WHEN p.rest_ukw = 0 THEN ARRAY[FALSE] ELSE ARRAY[FALSE, TRUE] END) AS parts (is_rest)
