-- Costed records with the parts of their power that count in the quarter hours from `slot_ms` and from `next_ms` on. Power is energy over
-- the quarter hour, or over the interval if that is longer. A reading that ends in the next quarter hour is divided by time. The
-- partitions of the lake end with UTC days and the windows with local days, so the part after the end of a day counts in no quarter
-- hour; in its place the first reading of the day counts as if it had begun with the day (see flink_job/lake/readings_15m.sql).
SELECT
  *,
  import_ukwh * 3600 / GREATEST(900, interval_s) - import_ukwh * 4 * rest_s / interval_s
  + CASE WHEN begins_day AND offset_s < interval_s THEN import_ukwh * 4 * offset_s / interval_s ELSE CAST(0 AS BIGINT) END AS mean_ukw,
  CASE WHEN ends_day THEN CAST(0 AS BIGINT) ELSE import_ukwh * 4 * rest_s / interval_s END AS rest_ukw
FROM (
  SELECT
    *,
    interval_s <= 900 AND (MOD(slot_ms, 86400000) = 0 OR slot_ms <= day_start_ms) AS begins_day,
    MOD(next_ms, 86400000) = 0 OR next_ms >= day_start_ms + day_s * 1000 AS ends_day,
    CASE WHEN interval_s <= 900 THEN GREATEST(0, offset_s + interval_s - 900) ELSE 0 END AS rest_s
  FROM (
    SELECT *, slot_ms + 900000 AS next_ms, (start_ms - slot_ms) / 1000 AS offset_s
    FROM (SELECT *, start_ms / 900000 * 900000 AS slot_ms FROM costed) AS slots
  ) AS placed
) AS divided
