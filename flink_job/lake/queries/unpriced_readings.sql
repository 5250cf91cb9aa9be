-- title: Readings that wait for a tariff or contract
-- description: Unpriced readings by reason. Fix the cause, then run `redrive` to publish them again.
-- units: readings [1]
SELECT reason, detail, COUNT(*) AS readings, MIN(arrival) AS since
FROM unpriced
GROUP BY reason, detail
ORDER BY readings DESC
LIMIT 100
