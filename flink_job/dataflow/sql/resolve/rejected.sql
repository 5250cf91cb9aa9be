-- The table `rejected`: records that are neither readings nor contracts, readings of a device that the contract does not
-- list, and those of a sensor that its multiplier makes too large, with their original bytes; in several parts where one would exceed the sink's record limit.
SELECT
  d.tenant,
  d.reason,
  d.detail,
  p.part,
  p.parts,
  p.payload,
  d.device,
  d.dated,
  d.shard,
  d.record_position,
  d.arrival,
  CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3)) AS rejected_at
FROM (
  SELECT
    tenant, decoded.reading.reason AS reason, decoded.reading.detail AS detail, payload, device,
    CAST(arrival AS TIMESTAMP(3)) AS dated, shard, record_position, CAST(arrival AS TIMESTAMP(3)) AS arrival
  FROM decoded
  WHERE decoded.reading.reason IS NOT NULL
  UNION ALL
  SELECT
    CASE WHEN POSITION(CHR(31) IN meter_id) = 0 THEN 'default' ELSE SPLIT_INDEX(meter_id, CHR(31), 0) END AS tenant,
    reason, detail, payload, device, CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS dated,
    shard, record_position, arrival
  FROM resolved
  WHERE reason IN ('foreign_device', 'out_of_range')
  UNION ALL
  SELECT
    tenant, 'not_a_contract' AS reason, c.checked.problem AS detail, payload, CAST(NULL AS STRING) AS device,
    CAST(arrival AS TIMESTAMP(3)) AS dated, shard, record_position, CAST(arrival AS TIMESTAMP(3)) AS arrival
  FROM contract_records AS c
  WHERE c.checked.problem IS NOT NULL
) AS d
CROSS JOIN LATERAL TABLE(split_payload(d.payload)) AS p (part, parts, payload)
