-- The terms of a contract that is new, or has replaced another.
SELECT updated_key AS meter_id, expected_terms(latest, previous) AS terms
FROM contract_updates
