-- Contracts by meter; the newest is kept for ever, and put on each reading. Stored contracts and the stream are read at
-- the same time, so one that was published before another of its meter is dropped, in whatever order they are read.
SELECT contract_meter_id, contract
FROM (
  SELECT
    meter_id AS contract_meter_id,
    document AS contract,
    published,
    MAX(published) OVER (
      PARTITION BY meter_id ORDER BY processed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS newest
  FROM (
    SELECT meter_id, document, published, PROCTIME() AS processed_at
    FROM (
      SELECT meter_id, document, CAST(arrival AS TIMESTAMP_LTZ(3)) AS published FROM contracts
      UNION ALL
      SELECT meter_id, document, published FROM stored_contracts
    ) AS every_contract
    WHERE meter_id IS NOT NULL
  ) AS published_contracts
) AS compared
WHERE published = newest
