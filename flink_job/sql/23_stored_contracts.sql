-- Contracts of the snapshot, read once at a start without state. They hold from the beginning of time, so that they are
-- there for every reading that is read again; contracts of the stream hold from their arrival on.
SELECT
  c.meter_id,
  c.document,
  TO_TIMESTAMP_LTZ(c.published_ms, 3) AS published,
  TO_TIMESTAMP_LTZ(0, 3) AS arrival
FROM source_stored_contracts
CROSS JOIN LATERAL TABLE(stored_contracts(part)) AS c (meter_id, document, published_ms)
