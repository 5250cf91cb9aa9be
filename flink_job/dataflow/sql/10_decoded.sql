-- Every part of a record as flat columns, or with the code of its rejection; the original bytes stay beside it.
SELECT
  payload,
  tenant,
  device,
  arrival,
  shard,
  record_position,
  d.reading.reason AS reason,
  d.reading.detail AS detail,
  d.reading.reading_id AS reading_id,
  d.reading.meter_id AS meter_id,
  d.reading.start_ms AS start_ms,
  d.reading.interval_s AS interval_s,
  d.reading.revision AS revision,
  d.reading.quality AS quality,
  d.reading.device_id AS device_id,
  d.reading.sequence_number AS sequence_number,
  d.reading.import_packed AS import_packed,
  d.reading.export_packed AS export_packed,
  d.reading.reactive_import_packed AS reactive_import_packed,
  d.reading.reactive_export_packed AS reactive_export_packed,
  d.reading.register_packed AS register_packed,
  d.reading.register_id AS register_id,
  d.reading.rollover_ukwh AS rollover_ukwh,
  d.reading.measurements AS measurements
FROM (
  SELECT
    payload,
    tenant,
    device,
    arrival,
    shard,
    record_position,
    read_reading(payload, CAST(arrival AS TIMESTAMP(3)), tenant, device) AS reading
  FROM parts
) AS d
