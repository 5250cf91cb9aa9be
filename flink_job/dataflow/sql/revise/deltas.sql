-- What each record changes: the quantity after it minus the quantity before it (-1 is none; MOD unpacks, see
-- flink_job/metering/packing.py). A duplicate or an older revision changes nothing. The energy of the whole interval is
-- unknown for a register reading, whose import_after_ukwh is what it adds. The waiting quantities are what KPIs without a currency
-- gain or lose: those of records without a price count as long as the interval has none with a price.
SELECT
  carried,
  meter_id,
  start_ms,
  interval_s,
  bill_key,
  tou_period,
  updates,
  is_priced,
  records_seen = 1 AS is_first,
  records_seen > 1
    AND import_top = import_previous
    AND export_top = export_previous
    AND reactive_import_top = reactive_import_previous
    AND reactive_export_top = reactive_export_previous
    AND register_top = register_previous
    AND COALESCE(register_energy_ukwh, 0) = 0 AS is_repeat,
  is_overtaken OR register_condition = 1 AS is_overtaken,
  register_condition,
  COALESCE(register_demand_ukwh, 0) AS register_demand_ukwh,
  COALESCE(MOD(NULLIF(import_top, -1), ${QUANTITY_LIMIT}), 0) - COALESCE(MOD(NULLIF(import_previous, -1), ${QUANTITY_LIMIT}), 0)
  + COALESCE(register_energy_ukwh, 0) AS import_ukwh,
  COALESCE(MOD(NULLIF(export_top, -1), ${QUANTITY_LIMIT}), 0) - COALESCE(MOD(NULLIF(export_previous, -1), ${QUANTITY_LIMIT}), 0) AS export_ukwh,
  COALESCE(MOD(NULLIF(reactive_import_top, -1), ${QUANTITY_LIMIT}), 0)
  - COALESCE(MOD(NULLIF(reactive_import_previous, -1), ${QUANTITY_LIMIT}), 0) AS reactive_import_uvarh,
  COALESCE(MOD(NULLIF(reactive_export_top, -1), ${QUANTITY_LIMIT}), 0)
  - COALESCE(MOD(NULLIF(reactive_export_previous, -1), ${QUANTITY_LIMIT}), 0) AS reactive_export_uvarh,
  CASE
    WHEN register_packed IS NULL THEN COALESCE(MOD(NULLIF(import_top, -1), ${QUANTITY_LIMIT}), 0)
    ELSE COALESCE(register_energy_ukwh, 0)
  END AS import_after_ukwh,
  COALESCE(MOD(NULLIF(export_top, -1), ${QUANTITY_LIMIT}), 0) AS export_after_ukwh,
  COALESCE(MOD(NULLIF(reactive_import_top, -1), ${QUANTITY_LIMIT}), 0) AS reactive_import_after_uvarh,
  COALESCE(MOD(NULLIF(reactive_export_top, -1), ${QUANTITY_LIMIT}), 0) AS reactive_export_after_uvarh,
  CASE
    WHEN register_packed IS NOT NULL THEN register_interval_ukwh
    WHEN import_packed >= 0 THEN MOD(import_top, ${QUANTITY_LIMIT})
    ELSE -1
  END AS import_total_ukwh,
  CASE WHEN export_packed >= 0 THEN MOD(export_top, ${QUANTITY_LIMIT}) ELSE -1 END AS export_total_ukwh,
  waiting_seen,
  CASE WHEN waiting_seen > 0 AND records_seen = 0 THEN 1 ELSE 0 END
  - CASE WHEN waiting_seen - 1 + is_priced > 0 AND records_seen - is_priced = 0 THEN 1 ELSE 0 END AS waiting_readings,
  CASE WHEN import_top = -1 AND waiting_import_top >= 0 THEN MOD(waiting_import_top, ${QUANTITY_LIMIT}) ELSE 0 END
  - CASE WHEN import_previous = -1 AND waiting_import_previous >= 0 THEN MOD(waiting_import_previous, ${QUANTITY_LIMIT}) ELSE 0 END AS waiting_import_ukwh,
  CASE WHEN export_top = -1 AND waiting_export_top >= 0 THEN MOD(waiting_export_top, ${QUANTITY_LIMIT}) ELSE 0 END
  - CASE WHEN export_previous = -1 AND waiting_export_previous >= 0 THEN MOD(waiting_export_previous, ${QUANTITY_LIMIT}) ELSE 0 END AS waiting_export_ukwh,
  CASE WHEN reactive_import_top = -1 AND waiting_reactive_import_top >= 0 THEN MOD(waiting_reactive_import_top, ${QUANTITY_LIMIT}) ELSE 0 END
  - CASE WHEN reactive_import_previous = -1 AND waiting_reactive_import_previous >= 0 THEN MOD(waiting_reactive_import_previous, ${QUANTITY_LIMIT}) ELSE 0 END AS waiting_reactive_import_uvarh
FROM revised
