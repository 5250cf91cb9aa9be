-- The table `rejected`: records that are neither readings nor contracts, with their original bytes, in parts where one
-- would exceed the sink's record limit.
SELECT
  d.reason,
  d.detail,
  p.part,
  p.parts,
  p.payload,
  d.shard,
  d.record_position,
  d.arrival
FROM (
  SELECT reason, detail, payload, shard, record_position, CAST(arrival AS TIMESTAMP(3)) AS arrival
  FROM decoded
  WHERE reason IS NOT NULL
  UNION ALL
  SELECT
    'not_a_contract' AS reason,
    problem AS detail,
    payload,
    shard,
    record_position,
    CAST(arrival AS TIMESTAMP(3)) AS arrival
  FROM checked_contracts
  WHERE problem IS NOT NULL
) AS d
CROSS JOIN LATERAL TABLE(split_payload(d.payload)) AS p (part, parts, payload)
