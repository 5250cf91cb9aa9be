-- ... and the peaks before this reading. (Sums before a reading are sums after it less its own.)
SELECT
  *,
  COALESCE(LAG(peak_0) OVER bill, 0) AS previous_peak_0,
  COALESCE(LAG(peak_1) OVER bill, 0) AS previous_peak_1,
  COALESCE(LAG(peak_2) OVER bill, 0) AS previous_peak_2,
  COALESCE(LAG(peak_3) OVER bill, 0) AS previous_peak_3
FROM accumulated
WINDOW bill AS (PARTITION BY meter_id, bill_key ORDER BY processed_at)
