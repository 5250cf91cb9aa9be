-- The table `contract_changes`: the time for which a contract changes what has been priced, from spans of four fields (see
-- flink_job/tariffs/changed_spans.py).
SELECT
  CASE WHEN POSITION(CHR(31) IN meter_id) > 0 THEN SPLIT_INDEX(meter_id, CHR(31), 0) ELSE 'default' END AS tenant,
  CASE WHEN POSITION(CHR(31) IN meter_id) > 0 THEN SPLIT_INDEX(meter_id, CHR(31), 1) ELSE meter_id END AS meter_id,
  SPLIT_INDEX(s.span, CHR(30), 3) AS site_path,
  CAST(TO_TIMESTAMP_LTZ(CAST(SPLIT_INDEX(s.span, CHR(30), 0) AS BIGINT), 3) AS TIMESTAMP(3)) AS changed_from,
  CAST(TO_TIMESTAMP_LTZ(CAST(SPLIT_INDEX(s.span, CHR(30), 1) AS BIGINT), 3) AS TIMESTAMP(3)) AS changed_until,
  SPLIT_INDEX(s.span, CHR(30), 2) AS fields,
  CAST(contract_version AS TIMESTAMP(3)) AS issued_at,
  CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3)) AS changed_at
FROM contract_terms AS c
CROSS JOIN UNNEST(c.spans) AS s (span)
