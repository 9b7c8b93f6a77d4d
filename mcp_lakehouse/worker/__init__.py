"""Worker processes: started, confined, spoken to over one private socket, killed."""
