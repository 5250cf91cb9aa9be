-- What each record changes: new minus previous quantity (2^50 = 1125899906842624 unpacks). A repeat, or an older
-- revision, changes nothing. The interval's own energy (interval_ukwh) a register does not tell.
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  bill_key,
  tou_period,
  demand_slot,
  demand_start_ms,
  demand_window_s,
  records_seen = 1 AS is_first,
  records_seen > 1
    AND import_top IS NOT DISTINCT FROM import_previous
    AND export_top IS NOT DISTINCT FROM export_previous
    AND reactive_import_top IS NOT DISTINCT FROM reactive_import_previous
    AND reactive_export_top IS NOT DISTINCT FROM reactive_export_previous
    AND register_top IS NOT DISTINCT FROM register_previous
    AND COALESCE(register_energy_ukwh, 0) = 0 AS is_repeat,
  is_overtaken,
  COALESCE(MOD(import_top, 1125899906842624), 0) - COALESCE(MOD(import_previous, 1125899906842624), 0)
  + COALESCE(register_energy_ukwh, 0) AS import_ukwh,
  COALESCE(MOD(export_top, 1125899906842624), 0) - COALESCE(MOD(export_previous, 1125899906842624), 0) AS export_ukwh,
  COALESCE(MOD(reactive_import_top, 1125899906842624), 0)
  - COALESCE(MOD(reactive_import_previous, 1125899906842624), 0) AS reactive_import_uvarh,
  COALESCE(MOD(reactive_export_top, 1125899906842624), 0)
  - COALESCE(MOD(reactive_export_previous, 1125899906842624), 0) AS reactive_export_uvarh,
  CASE WHEN register_packed IS NULL THEN COALESCE(MOD(import_top, 1125899906842624), 0) END AS interval_ukwh,
  CASE
    WHEN register_packed IS NOT NULL THEN register_interval_ukwh
    WHEN import_packed >= 0 THEN MOD(import_top, 1125899906842624)
    ELSE -1
  END AS import_total_ukwh,
  CASE WHEN export_packed >= 0 THEN MOD(export_top, 1125899906842624) ELSE -1 END AS export_total_ukwh
FROM previous_revisions
