-- One reading per row: the payload of an envelope may be an array or NDJSON too.
SELECT
  part AS payload,
  tenant,
  device,
  arrival,
  shard,
  CASE WHEN part_number = 1 THEN record_position ELSE parts_position || '.' || CAST(part_number AS STRING) END
  AS record_position
FROM payload_parts
