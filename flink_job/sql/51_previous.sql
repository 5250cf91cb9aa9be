-- ... and the highest before this record.
SELECT
  *,
  LAG(import_top) OVER seen AS import_previous,
  LAG(export_top) OVER seen AS export_previous,
  LAG(reactive_import_top) OVER seen AS reactive_import_previous,
  LAG(reactive_export_top) OVER seen AS reactive_export_previous,
  LAG(register_top) OVER seen AS register_previous
FROM revised
WINDOW seen AS (PARTITION BY meter_id, start_ms ORDER BY processed_at)
