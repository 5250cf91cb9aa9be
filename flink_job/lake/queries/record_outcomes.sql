-- title: Records by outcome
-- description: Records by outcome and arrival date: costed, duplicate, measured (of a sensor), rejected or
--   unpriced. Each record has one outcome.
-- units: records [1]
SELECT outcome, arrived, COUNT(*) AS records
FROM (
  SELECT 'costed' AS outcome, CAST(arrival AS DATE) AS arrived FROM costs
  UNION ALL SELECT 'duplicates', CAST(arrival AS DATE) FROM duplicates
  UNION ALL SELECT 'measurements', CAST(arrival AS DATE) FROM measurements WHERE is_counted
  UNION ALL SELECT 'rejected', CAST(arrival AS DATE) FROM rejected WHERE part = 0
  UNION ALL SELECT 'unpriced', CAST(arrival AS DATE) FROM unpriced
) AS records
GROUP BY outcome, arrived
ORDER BY arrived DESC, outcome
LIMIT 1000
