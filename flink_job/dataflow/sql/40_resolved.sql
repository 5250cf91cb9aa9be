-- The tariff version, billing segment, TOU period, demand interval and local day of each reading; its quantities times
-- the contract's multiplier; what of it concerns alerts.
SELECT
  payload,
  arrival,
  shard,
  record_position,
  reading_id,
  meter_id,
  start_ms,
  interval_s,
  revision,
  quality,
  device_id,
  device,
  sequence_number,
  register_id,
  register_packed AS read_packed,
  rollover_ukwh AS read_rollover_ukwh,
  measurements,
  resolve_reading(
    contract,
    device,
    arrival,
    revision,
    start_ms,
    interval_s,
    import_packed,
    export_packed,
    reactive_import_packed,
    reactive_export_packed,
    register_packed,
    rollover_ukwh,
    measurements
  ) AS place
FROM joined
