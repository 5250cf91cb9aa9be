-- Readings with channels to be stored, which `channels` maps to their values: those that are not billed, from a JSON object, and all of
-- a sensor. Readings without a contract wait for it. A channel with control characters as separators, because a register may
-- have any name.
SELECT
  *,
  STR_TO_MAP(
    CONCAT_WS(
      CHR(30),
      REPLACE(REPLACE(REPLACE(TRIM(LEADING '{' FROM TRIM(TRAILING '}' FROM measurements)), '"', ''), ', ', CHR(30)), ': ', CHR(31)),
      CASE WHEN is_sensor THEN 'import' || CHR(31) || CAST(MOD(import_packed, ${QUANTITY_LIMIT}) / CAST(1000000 AS DOUBLE) AS STRING) END,
      CASE WHEN is_sensor THEN 'export' || CHR(31) || CAST(MOD(export_packed, ${QUANTITY_LIMIT}) / CAST(1000000 AS DOUBLE) AS STRING) END,
      CASE
        WHEN is_sensor
        THEN 'reactive_import' || CHR(31) || CAST(MOD(reactive_import_packed, ${QUANTITY_LIMIT}) / CAST(1000000 AS DOUBLE) AS STRING)
      END,
      CASE
        WHEN is_sensor
        THEN 'reactive_export' || CHR(31) || CAST(MOD(reactive_export_packed, ${QUANTITY_LIMIT}) / CAST(1000000 AS DOUBLE) AS STRING)
      END,
      CASE
        WHEN is_sensor
        THEN 'register' || CASE WHEN register_id = '' THEN '' ELSE ':' || register_id END
          || CHR(31) || CAST(MOD(register_packed, ${QUANTITY_LIMIT}) / CAST(1000000 AS DOUBLE) AS STRING)
      END
    ),
    CHR(30), CHR(31)
  ) AS channels
FROM (
  SELECT *, reason IS NOT NULL AND reason = 'sensor' AS is_sensor
  FROM resolved
  WHERE
    site_path IS NOT NULL
    AND (measurements IS NOT NULL AND (reason IS NULL OR reason <> 'out_of_range') OR reason = 'sensor')
) AS stored
