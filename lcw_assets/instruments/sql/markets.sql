SELECT venue, symbol, base, quote, request, kind, status, same_book FROM instruments.markets
