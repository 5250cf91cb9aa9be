-- Records of the stream, with their text where they are envelopes: what the IoT rule, or a trusted back end, puts around a
-- device's message (see docs/tenants.md). Nearly always the one look for the marker is all.
SELECT
  payload,
  tenant,
  arrival,
  shard,
  record_position,
  CASE
    WHEN POSITION('"metering_envelope"' IN DECODE(payload, 'UTF-8')) > 0 THEN DECODE(payload, 'UTF-8')
  END AS envelope
FROM source_readings
