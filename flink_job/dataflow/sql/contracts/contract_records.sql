-- Contract records with the qualified meter ID (see flink_job/tenants.py) and their check (udfs/decode.py).
-- Only valid contracts are joined with readings, so an invalid one never replaces its predecessor.
SELECT
  CASE
    WHEN NOT REGEXP(named_tenant, '^[a-z0-9-]{1,32}$') OR POSITION(CHR(31) IN named_meter) > 0 THEN CAST(NULL AS STRING)
    WHEN named_tenant = 'default' THEN named_meter
    ELSE CONCAT(named_tenant, CHR(31), named_meter)
  END AS meter_id,
  CASE WHEN REGEXP(named_tenant, '^[a-z0-9-]{1,32}$') THEN named_tenant ELSE tenant END AS tenant,
  document,
  payload,
  shard,
  record_position,
  arrival,
  check_contract(payload, tenant, CAST(arrival AS TIMESTAMP(3))) AS checked
FROM (
  SELECT
    *,
    JSON_VALUE(document, '$.meter_id') AS named_meter,
    COALESCE(NULLIF(JSON_VALUE(document, '$.tenant'), ''), tenant) AS named_tenant
  FROM (SELECT *, DECODE(payload, 'UTF-8') AS document FROM source_contracts) AS documents
) AS named
