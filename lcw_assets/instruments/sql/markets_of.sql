-- With all rows of a symbol: two of them are two meanings, also if only one is of these coins.
SELECT venue, symbol, base, quote, request, kind, status, same_book
FROM instruments.markets
WHERE (venue, symbol) IN (
    SELECT (venue, symbol)
    FROM instruments.markets
    WHERE base IN (SELECT unnest($bases)) AND quote IN (SELECT unnest($quotes))
)
