-- ... and the highest before this record.
SELECT *, COALESCE(LAG(import_top) OVER seen, 0) AS import_previous
FROM revised
WINDOW seen AS (PARTITION BY meter_id, start_ms ORDER BY processed_at)
