-- ... and the peaks before this reading. (Sums before a reading are sums after it less its own.) Only one as high as the
-- peak of its demand period may have raised a peak. The others find the peaks as they leave them: they are kept under one of
-- some two thousand keys, by meter, which are in memory, so that all stay on one road, on which none passes another. What
-- is kept of a bill is touched each day all the same, by the reading at midnight: else it would be forgotten before the bill.
SELECT
  *,
  CASE WHEN looks_back THEN COALESCE(LAG(peak_0) OVER bill, 0) ELSE peak_0 END AS previous_peak_0,
  CASE WHEN looks_back THEN COALESCE(LAG(peak_1) OVER bill, 0) ELSE peak_1 END AS previous_peak_1,
  CASE WHEN looks_back THEN COALESCE(LAG(peak_2) OVER bill, 0) ELSE peak_2 END AS previous_peak_2,
  CASE WHEN looks_back THEN COALESCE(LAG(peak_3) OVER bill, 0) ELSE peak_3 END AS previous_peak_3
FROM (
  SELECT
    *,
    CASE WHEN looks_back THEN meter_id ELSE '' END AS peaks_of,
    CASE WHEN looks_back THEN bill_key ELSE CAST(MOD(HASH_CODE(meter_id), 1024) AS STRING) END AS peaks_in
  FROM (
    SELECT
      *,
      (
        demand_ukwh > 0
        AND demand_ukwh = CASE demand_slot WHEN 1 THEN peak_1 WHEN 2 THEN peak_2 WHEN 3 THEN peak_3 ELSE peak_0 END
      ) OR MOD(start_ms, 86400000) < interval_s * 1000 AS looks_back
    FROM accumulated
  )
)
WINDOW bill AS (PARTITION BY peaks_of, peaks_in ORDER BY processed_at)
