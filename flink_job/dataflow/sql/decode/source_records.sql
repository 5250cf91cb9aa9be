-- Records of the readings stream. Later steps see the source's metadata and computed columns as ordinary columns.
SELECT
  payload,
  tenant,
  arrival,
  shard,
  record_position
FROM source_readings
