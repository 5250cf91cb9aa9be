-- The highest revision seen so far of each quantity of an interval. Revision and quantity are packed into one integer,
-- so the highest revision is a running maximum; a quantity that a record does not carry is NULL and changes nothing.
SELECT
  *,
  MAX(import_packed) OVER seen AS import_top,
  MAX(export_packed) OVER seen AS export_top,
  MAX(reactive_import_packed) OVER seen AS reactive_import_top,
  MAX(reactive_export_packed) OVER seen AS reactive_export_top,
  MAX(register_packed) OVER seen AS register_top,
  COUNT(*) OVER seen AS records_seen
FROM priceable
WINDOW seen AS (
  PARTITION BY meter_id, start_ms
  ORDER BY processed_at
  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
