-- Quarter hours of each meter, repeated for the meter itself and for every level above it.
SELECT 'meter' AS level, meter_id AS entity, * FROM meter_15m
UNION ALL
SELECT 'factory' AS level, site AS entity, * FROM meter_15m
UNION ALL
SELECT 'process' AS level, site || '/' || split_part(site_path, '/', 2) AS entity, *
FROM meter_15m
UNION ALL
SELECT
  'line' AS level,
  site || '/' || split_part(site_path, '/', 2) || '/' || split_part(site_path, '/', 3) AS entity,
  *
FROM meter_15m
