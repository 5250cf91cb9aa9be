-- title: Measured channels by day
-- description: Lowest, mean and highest value of each channel by meter and UTC date. The condition on event_date limits
--   the data scanned.
-- units: lowest [unit], mean [unit], highest [unit], intervals [1]
SELECT event_date, meter_id, site_path, channel, unit, MIN(value) AS lowest, AVG(value) AS mean, MAX(value) AS highest,
  COUNT(*) AS intervals
FROM current_measurements
WHERE event_date >= '2026-01-01'
GROUP BY event_date, meter_id, site_path, channel, unit
ORDER BY event_date DESC, meter_id, channel
LIMIT 1000
