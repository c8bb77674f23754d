INSERT INTO registry.tokens BY NAME
SELECT
    answer.* EXCLUDE (fingerprint),
    described.* EXCLUDE (symbol, status),
    compared.status AS status,
    compared.listed_at AS listed_at,
    false AS is_new,
    getvariable('observed_at') AS first_seen,
    getvariable('observed_at') AS last_seen,
    getvariable('observed_at') AS changed_at
FROM compared JOIN answer ON answer.symbol = compared.symbol JOIN described ON described.symbol = compared.symbol
WHERE was IS NULL;
