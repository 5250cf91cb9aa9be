-- Why a contract record is none, for the table `rejected`.
SELECT
  tenant,
  payload,
  arrival,
  shard,
  record_position,
  check_contract(payload) AS problem
FROM contracts
