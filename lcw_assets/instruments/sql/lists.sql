SELECT venue, attempted_at, received_at FROM instruments.lists
