-- The newest contract of each meter: a versioned view, joined as of a reading's arrival.
SELECT meter_id, document, arrival
FROM (
  SELECT
    meter_id,
    document,
    arrival,
    ROW_NUMBER() OVER (PARTITION BY meter_id ORDER BY arrival DESC) AS newest
  FROM contracts
  WHERE meter_id IS NOT NULL
)
WHERE newest = 1
