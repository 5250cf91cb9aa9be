-- Costed records with what they add to the power of the next quarter hour: a reading that straddles two is divided by time. One of more
-- than a quarter hour is not, nor one over the end of a UTC or local day.
SELECT
  *,
  CASE
    WHEN interval_s > 900 OR start_ms + interval_s * 1000 <= next_ms THEN CAST(0 AS BIGINT)
    WHEN next_ms >= day_start_ms + day_s * 1000 OR MOD(next_ms, 86400000) = 0 THEN CAST(0 AS BIGINT)
    ELSE import_ukwh * (start_ms + interval_s * 1000 - next_ms) / (interval_s * 1000)
  END AS next_ukwh
FROM (SELECT *, start_ms / 900000 * 900000 + 900000 AS next_ms FROM costed) AS placed
