-- The parts of each record (an array or NDJSON holds several). `envelope` is the text of a part that is an envelope: what the
-- IoT rule, or a trusted back end, puts around a device's message (see docs/use/tenants.md). The first part has the record's
-- position, the n-th has `.n` after it; the parts of an envelope's payload are counted from `parts_position`.
SELECT
  part AS payload,
  tenant,
  arrival,
  shard,
  CASE WHEN part_number = 1 THEN record_position ELSE record_position || '.' || CAST(part_number AS STRING) END
  AS record_position,
  CASE WHEN parts = 1 THEN record_position ELSE record_position || '.' || CAST(part_number AS STRING) END
  AS parts_position,
  CASE
    WHEN POSITION('"metering_envelope"' IN DECODE(part, 'UTF-8')) > 0 THEN DECODE(part, 'UTF-8')
  END AS envelope
FROM record_parts
