"""Work for others: short work in a pool of threads, long work in processes of their own."""
