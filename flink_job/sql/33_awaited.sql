-- Readings that came without a contract look again: this join waits until the contracts that arrived before them have
-- been read, as after a cold start. It buffers rows, so only those that need it pass through.
SELECT
  k.payload,
  k.shard,
  k.record_position,
  CAST(k.arrival AS TIMESTAMP(3)) AS arrival,
  k.reading_id,
  k.meter_id,
  k.start_ms,
  k.interval_s,
  k.revision,
  k.quality,
  k.device_id,
  k.sequence_number,
  k.import_packed,
  k.export_packed,
  k.reactive_import_packed,
  k.reactive_export_packed,
  k.register_packed,
  k.register_id,
  k.rollover_ukwh,
  k.measurements,
  v.document AS contract
FROM (SELECT * FROM known WHERE contract IS NULL) AS k
LEFT JOIN contract_versions FOR SYSTEM_TIME AS OF k.arrival AS v ON k.meter_id = v.meter_id
