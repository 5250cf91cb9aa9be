-- The terms of a contract that is new, or has replaced another, and the entities that its meter joins or leaves.
SELECT updated_key AS meter_id, expected_terms(latest, previous) AS terms, contract_marks(latest, previous) AS marks
FROM contract_updates
