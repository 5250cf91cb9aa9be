-- The valid value of each interval, meter and channel: the highest revision; of several records with it, the last one.
SELECT
  tenant, meter_id, site_path, split_part(site_path, '/', 1) AS site, role, channel, interval_start, interval_s, value,
  unit, raw_unit, revision, quality, device_id, sequence_number, reading_id, arrival, event_date
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY tenant, meter_id, channel, interval_start, event_date
      ORDER BY revision DESC, arrival DESC, reading_id DESC
    ) AS place
  FROM measurements
) AS revisions
WHERE place = 1
