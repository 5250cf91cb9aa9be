-- Readings on time that fill their 15-minute window.
SELECT * FROM lateness_tagged WHERE NOT is_late AND fills_window
