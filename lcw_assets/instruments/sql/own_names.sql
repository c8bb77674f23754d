SELECT venue, name, coin, since, until, successor FROM instruments.names WHERE origin NOT IN ('builtin', 'code')
