-- Records of the stream, as they are split: metadata and computed columns of the source are columns like others here.
SELECT
  payload,
  tenant,
  arrival,
  shard,
  record_position
FROM source_readings
