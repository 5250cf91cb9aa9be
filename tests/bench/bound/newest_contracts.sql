-- The newest contract of each meter: a versioned view.
SELECT meter_id, site_path, arrival
FROM (
  SELECT meter_id, site_path, arrival, ROW_NUMBER() OVER (PARTITION BY meter_id ORDER BY arrival DESC) AS newest
  FROM source_contracts
)
WHERE newest = 1
