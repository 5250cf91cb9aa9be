-- Each reading with its place: tariff version, billing segment, TOU period, demand interval and local day, and its quantities times
-- the contract's multiplier; or the reason why it has none (udfs/resolve.py).
SELECT
  meter_id,
  payload,
  device,
  shard,
  record_position,
  arrival,
  reading,
  resolve_reading(
    contract,
    device,
    arrival,
    c.reading.revision,
    c.reading.start_ms,
    c.reading.interval_s,
    c.reading.import_packed,
    c.reading.export_packed,
    c.reading.reactive_import_packed,
    c.reading.reactive_export_packed,
    c.reading.register_packed,
    c.reading.rollover_ukwh,
    c.reading.measurements
  ) AS place
FROM with_contract AS c
