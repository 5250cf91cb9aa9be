-- Readings on time that are shorter than their 15-minute window.
SELECT * FROM lateness_tagged WHERE NOT is_late AND NOT fills_window
