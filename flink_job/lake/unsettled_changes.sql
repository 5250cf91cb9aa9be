-- Billing cycles for whose time a contract was changed after readings had been priced, until `settle` has settled them since, by that
-- contract or a later one. Readings that were on their way through the job may have been priced up to ten minutes after the change.
SELECT
  b.tenant,
  b.supply_point,
  b.meter_id,
  MAX(b.site_path) AS site_path,
  b.site,
  b.cycle_start,
  b.tariff_id,
  b.tariff_version,
  MAX(b.currency) AS currency,
  MIN(x.changed_from) AS changed_from,
  MAX(x.changed_until) AS changed_until,
  MAX(x.fields) AS fields,
  MAX(x.changed_at) AS changed_at,
  MAX(x.issued_at) AS issued_at
FROM (
  SELECT
    tenant,
    COALESCE(supply_point, meter_id) AS supply_point,
    meter_id,
    MAX(site_path) AS site_path,
    split_part(site_path, '/', 1) AS site,
    cycle_start,
    tariff_id,
    tariff_version,
    MAX(currency) AS currency,
    MIN(costed_at) AS costed_at,
    MIN(interval_start) AS first_start,
    MAX(interval_start) AS last_start
  FROM costs
  WHERE COALESCE(role, 'main') IN ('main', 'part')
  GROUP BY
    tenant, COALESCE(supply_point, meter_id), meter_id, split_part(site_path, '/', 1), cycle_start, tariff_id, tariff_version
) AS b
INNER JOIN contract_changes AS x
  ON x.tenant = b.tenant
  AND x.meter_id = b.meter_id
  AND x.changed_from <= b.last_start
  AND x.changed_until > b.first_start
  AND b.costed_at < x.changed_at + INTERVAL '10' MINUTE
LEFT JOIN settlements AS s
  ON s.tenant = b.tenant
  AND s.supply_point = b.supply_point
  AND s.cycle_start = b.cycle_start
  AND s.settled_at >= x.changed_at
  AND (s.issued_at IS NULL OR s.issued_at >= x.issued_at)
WHERE s.supply_point IS NULL
GROUP BY b.tenant, b.supply_point, b.meter_id, b.site, b.cycle_start, b.tariff_id, b.tariff_version
