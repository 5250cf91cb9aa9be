-- Payloads without their envelopes, with the tenant and the IoT thing that sent them (NULL for other senders). An envelope
-- that deviates from docs/use/tenants.md, or has text around it, is not opened and will be rejected as a whole. Base64 keeps
-- payloads that are not valid UTF-8.
SELECT
  CASE WHEN is_open THEN CAST(FROM_BASE64(enclosed) AS BYTES) ELSE payload END AS payload,
  CASE WHEN is_open THEN COALESCE(named_tenant, things_tenant, tenant) ELSE tenant END AS tenant,
  CASE WHEN is_open THEN thing END AS device,
  arrival,
  shard,
  record_position,
  parts_position
FROM (
  SELECT
    *,
    COALESCE(MOD(CHAR_LENGTH(enclosed), 4) = 0 AND REGEXP(envelope, '^\s*\{[^{}]*\}\s*$'), FALSE)
    AND (POSITION(':' IN COALESCE(thing, '')) = 0 OR things_tenant IS NOT NULL) AS is_open
  FROM (
    SELECT
      *,
      REGEXP_EXTRACT(envelope, '"payload"\s*:\s*"([A-Za-z0-9+/]*={0,2})"', 1) AS enclosed,
      REGEXP_EXTRACT(envelope, '"thing"\s*:\s*"([A-Za-z0-9:_-]{1,128})"', 1) AS thing,
      REGEXP_EXTRACT(envelope, '"thing"\s*:\s*"([a-z0-9-]{1,32}):', 1) AS things_tenant,
      REGEXP_EXTRACT(envelope, '"tenant"\s*:\s*"([a-z0-9-]{1,32})"', 1) AS named_tenant
    FROM envelopes
  ) AS read_envelopes
) AS opened
